"""In one pass Horizon is asked once about an account, however many slots are opened."""

import asyncio
from typing import cast

import pytest

from services.payouts.clients.horizon import Horizon, HorizonSilentError, Looks
from services.payouts.domain.slots import Look


class Counting:
    """A Horizon that counts what it is asked, and says nothing about one account."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def look(self, account: str) -> Look:
        self.asked.append(account)
        await asyncio.sleep(0)
        if account == "silent":
            raise HorizonSilentError(account)
        return Look(len(self.asked), 5)


async def test_whoever_looks_at_once_or_later_in_a_pass_sees_the_same_answer() -> None:
    horizon = Counting()
    looks = Looks(cast(Horizon, horizon))
    at_once = await asyncio.gather(*(looks.at("channel") for _ in range(3)))
    assert [*at_once, await looks.at("channel")] == [Look(1, 5)] * 4
    assert horizon.asked == ["channel"]


async def test_the_next_pass_asks_anew_and_silence_lasts_for_a_pass() -> None:
    horizon = Counting()
    for _ in range(2):
        looks = Looks(cast(Horizon, horizon))
        for _ in range(2):
            with pytest.raises(HorizonSilentError):
                await looks.at("silent")
    assert horizon.asked == ["silent"] * 2

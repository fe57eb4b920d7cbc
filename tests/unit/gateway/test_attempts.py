import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.persistence.gathering import StoreUnavailableError
from services.gateway.clients.attempts import FAILURES, Attempts
from services.gateway.clients.counters import Counted, LocalCounter
from services.gateway.domain.limits import Hit

HERE, THERE = "192.0.2.1", "192.0.2.2"


class HeldClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 12, 10, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Away:
    """A shared counter that can't be reached."""

    async def count(self, hits: Sequence[Hit], *, cost: int) -> list[Counted]:
        raise StoreUnavailableError("away")

    async def close(self) -> None: ...


async def failing(attempts: Attempts, times: int) -> list[int]:
    return [await attempts.fail(HERE) for _ in range(times)]


async def test_an_origin_has_some_tries_and_then_waits_out_its_window() -> None:
    attempts = Attempts(HeldClock())
    waits = await failing(attempts, FAILURES.amount + 1)
    assert waits[:-1] == [0] * FAILURES.amount
    assert 59 <= waits[-1] <= 60
    assert attempts.wait(HERE) == waits[-1]
    assert attempts.wait(THERE) == 0


async def test_the_window_begins_with_the_first_failure_and_then_anew() -> None:
    attempts = Attempts(HeldClock(), rule=replace(FAILURES, seconds=0.2))
    assert (await failing(attempts, FAILURES.amount + 1))[-1] == 1
    async with asyncio.timeout(5):
        while attempts.wait(HERE):
            await asyncio.sleep(0.02)
    assert await failing(attempts, 1) == [0]


async def test_a_key_is_known_only_where_it_was_good_today_or_yesterday() -> None:
    clock = HeldClock()
    attempts = Attempts(clock)
    await attempts.vouch(HERE, "mine")
    assert not await attempts.is_known(THERE, "mine")
    assert not await attempts.is_known(HERE, "other")
    for known in (True, True, False):
        assert await attempts.is_known(HERE, "mine") is known
        clock.time += timedelta(days=1)


async def test_what_others_saw_counts_here_too() -> None:
    shared = LocalCounter()
    one, other = Attempts(HeldClock(), shared), Attempts(HeldClock(), shared)
    await one.vouch(HERE, "mine")
    assert await other.is_known(HERE, "mine")
    await failing(one, FAILURES.amount)
    assert (one.wait(HERE), other.wait(HERE)) == (0, 0)
    assert await other.fail(HERE) > 0


async def test_a_mark_is_made_once_a_day() -> None:
    shared, clock = LocalCounter(), HeldClock()
    attempts = Attempts(clock, shared)
    for _ in range(5):
        await attempts.vouch(HERE, "mine")
    [windows] = shared._windows.values()
    assert [count for count, _ in windows.values()] == [1]


async def test_when_the_shared_counter_does_not_answer_this_process_counts_alone() -> None:
    attempts = Attempts(HeldClock(), Away())
    await attempts.vouch(HERE, "mine")
    assert await attempts.is_known(HERE, "mine")
    assert (await failing(attempts, FAILURES.amount + 1))[-1] > 0


async def test_guesses_from_everywhere_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.clients.attempts._BLOCKED_MAX", 5)
    attempts = Attempts(HeldClock(), rule=replace(FAILURES, amount=0))
    for number in range(50):
        await attempts.fail(str(number))
    assert list(attempts._blocked) == [str(number) for number in range(45, 50)]

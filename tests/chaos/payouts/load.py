"""What people do: they sign up, pay in on the chain, and withdraw to accounts of every kind."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from stellar_sdk import Keypair

from libs.common.kernel.money import UNIT, format_amount
from tests.chaos.desk import Desk
from tests.chaos.payouts.chain import Network, Stranger

KINDS: Final = {"good": 60, "unknown": 10, "bare": 6, "unwilling": 12, "leaving": 12}
"""Destinations: one that can be paid; none; one without a trustline; those that give it up, or close, once it was asked for."""
MOST: Final = 3
"""Withdrawals of a person."""
ENDED: Final = ("COMPLETED", "FAILED", "CANCELED")
_PAUSE_SECONDS: Final = 0.7
_CANCELED_SHARE: Final = 0.15
_MEMO_SHARE: Final = 0.1
_TWINS_SHARE: Final = 0.15
_TROUBLE: Final = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class Asked:
    """A withdrawal that was accepted. No other has its amount."""

    id: str
    user_id: str
    kind: str
    to: str
    currency: str
    amount: int


@dataclass
class World:
    """What all clients share and remember."""

    desk: Desk
    network: Network
    good: list[Stranger]
    asked: list[Asked] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    users: int = 0
    names: Iterator[int] = field(default_factory=itertools.count)

    async def get(self, path: str) -> Any:
        """GET `data`; None when it is not to be had now."""
        try:
            headers = {"Authorization": f"Bearer {self.desk.api_key}"}
            async with self.desk.session.get(f"{self.desk.api_url}{path}", headers=headers) as answer:
                return (await answer.json())["data"] if answer.ok else None
        except _TROUBLE:
            return None


@dataclass
class Client:
    """One person after the other."""

    world: World
    dice: random.Random
    stop: asyncio.Event

    async def run(self) -> None:
        """Go on until told to stop."""
        while not self.stop.is_set():
            note = await self.world.desk.post("/users", {"external_user_id": f"person-{next(self.world.names)}"})
            if note.accepted:
                self.world.users += 1
                await self._live(note.data["id"])

    async def _live(self, user_id: str) -> None:
        shown = await self._until(f"/users/{user_id}/wallet/deposit")
        if shown is None:
            return
        currency = self.dice.choices(("USD", "XLM"), (4, 1))[0]
        times = self.dice.randint(1, 2)
        await asyncio.gather(*(self._pay_in(shown["address"], currency) for _ in range(times)))
        if not await self._until_credited(user_id):
            return
        for _ in range(self.dice.randint(1, MOST)):
            if not self.stop.is_set():
                await self._withdraw(user_id, currency)

    async def _pay_in(self, address: str, currency: str) -> None:
        await self.world.network.pay_in(address, currency, format_amount(self.dice.randint(5 * UNIT, 9 * UNIT)))

    async def _until_credited(self, user_id: str) -> bool:
        """Wait until the first payment is in the books, which is enough for all that is withdrawn."""
        while not self.stop.is_set():
            shown = await self.world.get(f"/users/{user_id}/balance")
            if shown is not None and any(float(line["available"]) > MOST + 1 for line in shown["balances"]):
                return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _withdraw(self, user_id: str, currency: str) -> None:
        kind = self.dice.choices(list(KINDS), list(KINDS.values()))[0]
        somebody = await self._somebody(kind)
        amount = UNIT + next(self.world.names)
        to: dict[str, str] = {"type": "stellar", "address": somebody.address}
        if self.dice.random() < _MEMO_SHARE:
            to |= {"memo_type": "text", "memo": "a memo"}
        body = {"user_id": user_id, "amount": format_amount(amount), "currency": currency, "destination": to}
        twins = 2 if self.dice.random() < _TWINS_SHARE else 1
        note = await self.world.desk.post("/withdrawals", body, twins=twins)
        if not note.accepted:
            self.world.refused[note.code] += 1
            return
        made = note.data["id"]
        self.world.asked.append(Asked(made, user_id, kind, somebody.address, currency, amount))
        if kind == "unwilling":
            await self.world.network.do(somebody, self.world.network.no_trust())
        if kind == "leaving":
            await self.world.network.do(somebody, *self.world.network.leaving(self.world.good[0].address))
        if self.dice.random() < _CANCELED_SHARE:
            await asyncio.sleep(self.dice.uniform(0, 1))
            await self.world.desk.post(f"/withdrawals/{made}/cancel", {"reason": "no longer"})
        await self._until_it_ends(made)

    async def _somebody(self, kind: str) -> Stranger:
        if kind == "good":
            return self.dice.choice(self.world.good)
        if kind == "unknown":
            pair = Keypair.random()
            return Stranger(pair.public_key, pair.secret)
        return await self.world.network.somebody(trusts=kind != "bare")

    async def _until_it_ends(self, withdrawal_id: str) -> None:
        while not self.stop.is_set():
            shown = await self.world.get(f"/withdrawals/{withdrawal_id}")
            if shown is not None and shown["status"] in ENDED:
                return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _until(self, path: str) -> Any:
        while not self.stop.is_set():
            shown = await self.world.get(path)
            if shown is not None:
                return shown
            await asyncio.sleep(_PAUSE_SECONDS)
        return None

"""What the clients do: people, money, and orders that go every way an order can go."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

from libs.common.kernel.money import format_amount
from tests.chaos.desk import Desk, Note

_CENT: Final = 100_000
"""In stroops (10⁻⁷)."""
_ENDINGS: Final = {
    "release": 30, "refund": 12, "dispute": 26, "cancel": 12, "race to reserve": 8, "race to settle": 6, "race to contest": 6,
}  # fmt: skip
_TWINS_SHARE: Final = 0.15
_MISTAKES_SHARE: Final = 0.1
_PEOPLE_PER_CLIENT: Final = 2


@dataclass
class Client:
    """One caller: it does one thing after the other, and its own orders are nobody else's. People are shared."""

    desk: Desk
    dice: random.Random
    people: list[str]
    stop: asyncio.Event
    _signed_up: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Make orders until told to stop; the one under way is left where it is."""
        for _ in range(_PEOPLE_PER_CLIENT):
            await self._sign_up()
        while not self.stop.is_set():
            if self.dice.random() < 0.08:
                await self._sign_up()
            if self.dice.random() < 0.3:
                await self._credit(self.dice.choice(self.people))
            await self._order()

    async def _post(self, path: str, body: dict[str, Any] | None = None, *, support: bool = False) -> Note:
        twins = 2 if self.dice.random() < _TWINS_SHARE else 1
        return await self.desk.post(path, body, support=support, twins=twins)

    async def _sign_up(self) -> None:
        again = self._signed_up and self.dice.random() < 0.2
        name = self.dice.choice(self._signed_up) if again else f"person-{self.dice.getrandbits(64):x}"
        note = await self._post("/users", {"external_user_id": name})
        if not again and note.accepted:
            self._signed_up.append(name)
            self.people.append(note.data["id"])
            await self._credit(note.data["id"])

    async def _credit(self, user_id: str) -> None:
        amount = format_amount(self.dice.randint(10_00, 200_00) * _CENT)
        body = {"amount": amount, "currency": "USD", "reference": f"credit-{self.dice.getrandbits(64):x}"}
        await self._post(f"/users/{user_id}/balance/credit", body, support=True)

    async def _order(self) -> None:
        buyer, seller = self.dice.sample(self.people, 2)
        amount = self.dice.randint(1, 40 * 10_000_000)
        ending = self.dice.choices(list(_ENDINGS), weights=list(_ENDINGS.values()))[0]
        refs = ["draft", "final"] if amount > 1 and self.dice.random() < 0.35 else []
        body: dict[str, Any] = {
            "buyer_id": buyer,
            "seller_id": seller,
            "amount": format_amount(amount),
            "title": "A thing",
            "currency": "USD",
        }
        if refs:
            parts = (amount // 2, amount - amount // 2)
            named = zip(refs, parts, strict=True)
            body["milestones"] = [{"ref": ref, "title": ref, "amount": format_amount(part)} for ref, part in named]
        note = await self._post("/orders", body)
        if note.accepted and not self.stop.is_set():
            await self._lead(f"/orders/{note.data['id']}", buyer, amount, refs, ending)

    async def _lead(self, path: str, buyer: str, amount: int, refs: list[str], ending: str) -> None:
        """Lead an order to its ending, with a mistake now and then."""
        if ending == "race to reserve":
            await self._race((f"{path}/reserve", None), (f"{path}/cancel", {"reason": "a race"}))
            return
        stages = [(f"{path}/reserve", None), (f"{path}/escrow", {"amount": format_amount(amount), "currency": "USD"})]
        stages.append((f"{path}/escrow/fund", None))
        stages += [(f"{path}/milestones/{ref}/complete", None) for ref in refs]
        if ending == "cancel":
            stages = stages[: self.dice.randint(0, 2)]
        for place, (step, body) in enumerate(stages):
            if self.stop.is_set():
                return
            if self.dice.random() < _MISTAKES_SHARE:
                wrong = f"{path}/resolution/release" if place < 3 or place + 1 < len(stages) else f"{path}/reserve"
                await self._post(wrong)
            note = await self._post(step, body)
            if note.code == "INSUFFICIENT_FUNDS":
                await self._credit(buyer)
                note = await self._post(step, body)
            if not note.accepted:
                return
        await self._end(path, amount, ending)

    async def _end(self, path: str, amount: int, ending: str) -> None:
        if ending == "cancel":
            await self._post(f"{path}/cancel", {"reason": "no longer"})
        elif ending in ("release", "refund"):
            await self._post(f"{path}/resolution/{ending}")
        elif ending == "race to settle":
            await self._race((f"{path}/resolution/release", None), (f"{path}/resolution/refund", None))
        elif ending == "race to contest":
            _, contest = await self._race((f"{path}/resolution/release", None), (f"{path}/resolution/dispute", {}))
            if contest.accepted:
                await self._resolve(contest, amount)
        else:
            await self._resolve(await self._post(f"{path}/resolution/dispute", {"reason": "QUALITY_ISSUE"}), amount)

    async def _race(self, *requests: tuple[str, dict[str, Any] | None]) -> list[Note]:
        return await asyncio.gather(*(self._post(path, body) for path, body in requests))

    async def _resolve(self, dispute: Note, amount: int) -> None:
        if not dispute.accepted or self.stop.is_set():
            return
        path = f"/disputes/{dispute.data['id']}"
        if self.dice.random() < 0.4:
            await self._post(f"{path}/comments", {"message": "looking into it"}, support=True)
        if self.dice.random() < 0.4:
            await self._post(f"{path}/assign", {"assigned_to": "agent-7"}, support=True)
        decision = self.dice.choices(["SPLIT", "FULL_RELEASE", "FULL_REFUND"], weights=[4, 1, 1])[0]
        body = {"decision": decision}
        if decision == "SPLIT":
            part = self.dice.randint(0, amount)
            body |= {"release_amount": format_amount(part), "refund_amount": format_amount(amount - part)}
        await self._post(f"{path}/resolve", body, support=True)

"""A Horizon that lies in two ways at once while money comes and goes: who is paid and credited, by the chain's own account.

A play is short: lies are drawn by seed, some people withdraw, some are paid, one changes their mind. It ends when everything has
come to its end with the lies still on; then the lies end, and the chain is asked what happened.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import msgspec
from stellar_sdk import ChangeTrust, Payment

from deploy.sandbox.horizon.ledger.queue import Status
from libs.common.contracts.commands.payouts import CancelWithdrawal
from libs.common.kernel.ids import new_id
from libs.common.kernel.money import UNIT, format_amount
from libs.common.messaging.link import OutcomeUnknownError
from libs.common.messaging.worker import Worker
from libs.common.settings import ServiceSettings
from tests.support.bank import PEOPLE, USDC, Bank, bank
from tests.support.chain import address
from tests.support.market import Refused
from tests.support.oracles import books_hold
from tests.support.workers import until

CHANNELS: Final = 2
PATIENCE_SECONDS: Final = 180.0
LEAVING: Final = 4
COMING: Final = 2
LEDGER_SECONDS: Final = 0.04
_POLL_SECONDS: Final = 0.02
_BALANCE: Final = 1_000
_NOBODY: Final = "dora"
"""Has an account that accepts no dollars, and Horizon never says so: payments to it are taken on, and fail."""

_SUBMITTING: Final = {"path": "/transactions_async"}
_ONE: Final = {"method": "GET", "path": "/[at]*/*"}
"""An account, or a transaction."""
_ANY: Final = {"method": "GET", "path": "/*"}
LIES: Final[dict[str, dict[str, Any]]] = {
    "a false 404": {"fault": "not_found", "match": _ONE},
    "504 before it arrived": {"fault": "gateway_timeout", "when": "before", "match": _SUBMITTING},
    "504 after it was applied": {"fault": "gateway_timeout", "when": "applied", "match": _SUBMITTING, "seconds": 0.5},
    "a false tx_bad_seq": {"fault": "bad_sequence", "when": "accepted", "match": _SUBMITTING},
    "replicas that lag": {"fault": "lag", "match": _ANY},
    "records left out": {"fault": "drop", "match": _ANY, "share": 0.5},
    "records twice": {"fault": "duplicate", "match": _ANY, "share": 0.5},
    "records in another order": {"fault": "reorder", "match": _ANY},
    "the page before": {"fault": "repeat", "match": _ANY},
    "a transaction that is lost": {"fault": "lose", "match": _SUBMITTING},
}
PAIRS: Final = tuple(combinations(LIES, 2))


@dataclass
class Seen:
    """What plays found; adding one to another is what both found."""

    plays: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    """How often each lie was told."""
    ends: Counter[str] = field(default_factory=Counter)
    """What became of withdrawals and deposits."""
    longest: float = 0.0
    breaches: list[str] = field(default_factory=list)

    def add(self, other: "Seen") -> None:
        """Take another's findings in."""
        self.plays += other.plays
        self.fired += other.fired
        self.ends += other.ends
        self.longest = max(self.longest, other.longest)
        self.breaches += other.breaches


@dataclass
class Leaving:
    """A withdrawal that was taken on, and its amount, which no other one has."""

    id: str
    to: str
    amount: int


@dataclass
class Stage:
    """A bank with its services, and people whose accounts are on the chain."""

    house: Bank
    worker: Worker
    users: list[str]
    accounts: list[str]
    seen: Seen = field(default_factory=Seen)
    ours_at_first: int = 0
    owed: Counter[str] = field(default_factory=Counter)
    """What each user must have, in stroops, if everything was done once."""
    number: int = 0

    async def play(self, pair: tuple[str, str], seed: int) -> None:
        """Tell these two lies while money moves, and see what came of it; a breach is kept, not raised."""
        dice = random.Random(f"{pair} {seed}")
        cursor, began = self.house.chain.here, time.monotonic()
        names = {lie: await self.house.chain.fault(**_drawn(lie, dice)) for lie in pair}
        await self.house.chain.fault("stale_history", match={"path": f"/accounts/{address(_NOBODY)}"})
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                leaving, coming = await self._move(dice)
                ends = await self._ends(leaving)
                await self._is_credited()
        except TimeoutError:
            self.seen.breaches.append(f"{pair} seed {seed}: not at rest after {PATIENCE_SECONDS:g} s")
            return
        finally:
            for lie, name in names.items():
                self.seen.fired[lie] += await self.house.chain.fired(name)
            await self.house.chain.http.delete("/sandbox/faults")
        self.seen.plays += 1
        self.seen.longest = max(self.seen.longest, time.monotonic() - began)
        self.seen.breaches += [f"{pair} seed {seed}: {each}" for each in await self._troubles(cursor, leaving, ends, coming)]

    async def _move(self, dice: random.Random) -> tuple[list[Leaving], dict[str, int]]:
        """Withdraw and pay in at once, and call one withdrawal off, now and then."""
        leavers = dice.sample(self.users, LEAVING)
        tasks = [
            asyncio.create_task(self._withdraw(user, dice.choice((*PEOPLE, _NOBODY)), UNIT + self._unique())) for user in leavers
        ]
        coming: dict[str, int] = {}
        for _ in range(COMING):
            user, amount = dice.choice(self.users), UNIT // 2 + self._unique()
            self._pay_in(user, amount)
            coming[user] = coming.get(user, 0) + amount
            self.owed[user] += amount
            await asyncio.sleep(dice.random() * 3 * LEDGER_SECONDS)
        leaving = list(await asyncio.gather(*tasks))
        if dice.random() < 1 / 3:
            await asyncio.sleep(dice.random() * 5 * LEDGER_SECONDS)
            with contextlib.suppress(Refused):
                await self._do(CancelWithdrawal(dice.choice(leaving).id))
        return leaving, coming

    async def _withdraw(self, user: str, to: str, amount: int) -> Leaving:
        """Ask until it is taken: whoever is told that an account is not there comes again."""
        while True:
            withdrawal_id = new_id("wth")
            terms = msgspec.structs.replace(self.house.desk.terms(withdrawal_id, user, address=address(to)), amount=amount)
            try:
                await self._do(terms)
            except Refused as refused:
                if refused.code != "DESTINATION_NO_TRUSTLINE":
                    raise
                self.seen.ends["refused for an account that was not shown"] += 1
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return Leaving(withdrawal_id, to, amount)

    async def _do(self, message: msgspec.Struct) -> None:
        """Have payouts do something once, however often it must be asked for an answer."""
        command_id = new_id("cmd")
        while True:
            with contextlib.suppress(OutcomeUnknownError):
                await self.house.desk.do(message, command_id, service="payouts")
                return

    def _pay_in(self, user: str, amount: int) -> None:
        """Have somebody pay to a user's account; the payer has a Horizon of their own, which does not lie."""
        node = self.house.chain.node
        to = self.accounts[self.users.index(user)]
        envelope = self.house.chain.build(f"payer {self.number % _PAYERS}", Payment(to, USDC, format_amount(amount)))
        admission = node.offer(node.chain.read(envelope.to_xdr()))
        assert admission.status is Status.PENDING, f"the payer is told {admission.status}"

    async def _ends(self, leaving: list[Leaving]) -> dict[str, str]:
        """Wait until each withdrawal has come to its end, in the books too."""
        query = (
            "SELECT id, status FROM payouts.withdrawals"
            " WHERE tenant = $1 AND id = ANY($2) AND pending IS NULL AND status = ANY($3)"
        )
        ids, final = [each.id for each in leaving], ["COMPLETED", "FAILED", "CANCELED"]
        while True:
            rows = await self.house.desk.owner.fetch(query, self.house.desk.tenant, ids, final)
            if len(rows) == len(ids):
                return {row["id"]: row["status"] for row in rows}
            if self.worker.is_broken.is_set():
                raise AssertionError("payouts has died of a lie")
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_credited(self) -> None:
        """Wait until the deposits of the play are in the books, and nothing of them awaits the ledger."""
        query = "SELECT count(*) FROM payouts.deposits WHERE tenant = $1 AND status = 'CREDITED'"
        want = int(self.seen.ends["deposits"]) + COMING
        while await self.house.desk.owner.fetchval(query, self.house.desk.tenant) < want:
            if self.worker.is_broken.is_set():
                raise AssertionError("the scan has died of a lie")
            await asyncio.sleep(_POLL_SECONDS)
        self.seen.ends["deposits"] = want

    async def _troubles(self, cursor: int, leaving: list[Leaving], ends: dict[str, str], coming: dict[str, int]) -> list[str]:
        """Compare with the chain: each one paid exactly once or returned exactly once, and users have what they must."""
        paid = await self._paid_since(cursor)
        found: list[str] = []
        for each in leaving:
            status, times = ends[each.id], paid[address(each.to), each.amount]
            self.seen.ends[status] += 1
            journals = await self.house.desk.journals(each.id)
            if status in ("COMPLETED", "FAILED") and (status == "FAILED") != (each.to == _NOBODY):
                found.append(f"{each.id} to {each.to} is {status}")
            if times != (status == "COMPLETED"):
                found.append(f"{each.id} is {status}, and the chain paid it {times} times")
            if journals != ["settle" if status == "COMPLETED" else "return", "withdraw"]:
                found.append(f"{each.id} is {status}, and its journals are {journals}")
            if status == "COMPLETED":
                self.owed[await self._user_of(each.id)] -= each.amount
        for user in {*coming, *[await self._user_of(each.id) for each in leaving]}:
            has = await self._available(user)
            if has != self.owed[user]:
                found.append(f"{user} has {has}, and must have {self.owed[user]}")
        return found

    async def _paid_since(self, cursor: int) -> Counter[tuple[str, int]]:
        """Count the chain's own payments by (to, amount)."""
        paid: Counter[tuple[str, int]] = Counter()
        while page := await self.house.chain.records("/payments", cursor=cursor, limit=200, order="asc"):
            for each in page:
                if each["type"] == "payment" and each["transaction_successful"]:
                    paid[each["to"], int(Decimal(each["amount"]) * UNIT)] += 1
            cursor = int(page[-1]["paging_token"])
        return paid

    async def _user_of(self, withdrawal_id: str) -> str:
        query = "SELECT user_id FROM payouts.withdrawals WHERE tenant = $1 AND id = $2"
        return str(await self.house.desk.owner.fetchval(query, self.house.desk.tenant, withdrawal_id))

    async def _available(self, user: str) -> int:
        query = "SELECT balance FROM ledger.accounts WHERE tenant = $1 AND id = $2"
        return int(await self.house.desk.owner.fetchval(query, self.house.desk.tenant, f"user:{user}:available:USD"))

    async def ours(self) -> int:
        """What the platform holds on the chain: the treasury, and every user's account."""
        accounts = (await self.house.chain.get("/sandbox/balances"))["accounts"]
        dollar = f"USDC:{USDC.issuer}"
        return sum(int(Decimal(accounts[each].get(dollar, "0")) * UNIT) for each in (address("treasury"), *self.accounts))

    async def settle_up(self) -> None:
        """Check at the end that chain and books have moved by the same sum, and that the books are whole."""
        query = "SELECT coalesce(sum(balance), 0) FROM ledger.accounts WHERE tenant = $1 AND id = 'external:stellar:USD'"
        booked = int(await self.house.desk.owner.fetchval(query, self.house.desk.tenant))
        moved = self.ours_at_first - await self.ours()
        if booked != moved:
            self.seen.breaches.append(f"{moved} left the chain's accounts, and {booked} the books")
        await books_hold(self.house.desk.owner)

    def _unique(self) -> int:
        self.number += 1
        return self.number


_PAYERS: Final = 8
"""An account has one transaction in the network's queue."""


@contextlib.asynccontextmanager
async def stage(state: Path, config: ServiceSettings, *, people: int = 6) -> AsyncIterator[Stage]:
    """Open a bank with people whose accounts are on the chain; the services are at work, and ledgers close by themselves."""
    payers = [f"payer {number}" for number in range(_PAYERS)]
    async with bank(state, config, channels=CHANNELS) as house:
        await house.clear()
        await house.chain.accounts(*payers, _NOBODY)
        await house.chain.apply(*(house.chain.build(name, ChangeTrust(USDC)) for name in payers))
        await house.chain.apply(house.chain.build("issuer", *(Payment(address(name), USDC, "100000") for name in payers)))
        async with house.desk.ledger(), house.ticking(LEDGER_SECONDS), house.payouts() as worker:
            users = [await house.desk.user(balance=_BALANCE) for _ in range(people)]
            opened = Stage(house, worker, users, [await _account(house, user) for user in users])
            opened.owed.update(dict.fromkeys(users, _BALANCE * UNIT))
            opened.ours_at_first = await opened.ours()
            yield opened


async def _account(house: Bank, user: str) -> str:
    query = "SELECT public_key FROM payouts.wallets WHERE tenant = $1 AND user_id = $2 AND chain_state = 'READY'"
    return str(await until(lambda: house.desk.owner.fetchval(query, house.desk.tenant, user)))


def _drawn(lie: str, dice: random.Random) -> dict[str, Any]:
    """Choose how often a lie is told, and how far replicas lag."""
    rule = LIES[lie] | {"seed": dice.getrandbits(31), "probability": dice.uniform(0.2, 0.5)}
    if rule["fault"] == "lag":
        rule |= {"lag": [dice.randint(0, 4) for _ in range(3)], "probability": 1.0}
    if rule["fault"] == "bad_sequence" and dice.random() < 1 / 2:
        rule["when"] = "before"
    return rule

"""`python -m tests.bench.payouts`: withdrawals from the API to the chain, on a stack of its own with ledgers of five seconds."""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
from stellar_sdk import Keypair

from deploy.local.stack import Stack
from tests.bench.machine import describe
from tests.bench.payouts_page import AT_ONCE, BAD_SHARE, CHANNELS, CHANNELS_EACH, LEDGER_MS, Figures, Scaled, missed, written
from tests.bench.processes import machine_seconds, sample, spent
from tests.support.stacks import check_identity, own_stack, pids_by_kind

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-payouts.md"
PAYMENTS_EACH: Final = 500
"""For each channel, where processes are to add up: five ledgers full."""
_PATIENCE_SECONDS: Final = 300.0
_ELSE: Final = "what else ran"
_DECIDED: Final = "SELECT count(*) FROM payouts.withdrawals WHERE status IN ('COMPLETED', 'FAILED') AND pending IS NULL"
_STATES: Final = "SELECT status, count(*) FROM payouts.withdrawals GROUP BY status"
_HELD: Final = "SELECT count(*) FROM payouts.channels WHERE lease_owner IS NOT NULL GROUP BY lease_owner ORDER BY 1"
_DELAY: Final = """
SELECT coalesce(max(late), 0) FROM (
    SELECT max(s.transaction_ledger) - min(s.transaction_ledger) AS late
      FROM payouts.slot_items i JOIN payouts.slots s ON s.channel = i.channel AND s.sequence = i.sequence
      JOIN payouts.withdrawals w ON w.tenant = i.tenant AND w.id = i.withdrawal_id
     WHERE w.status = 'COMPLETED' GROUP BY i.tenant, i.withdrawal_id) AS good
"""


@dataclass
class Bench:
    """A stack, a client of its API and one of its network, and where people want their money."""

    stack: Stack
    api: httpx.AsyncClient
    chain: httpx.AsyncClient
    database: asyncpg.Connection
    good: list[str] = field(default_factory=list)

    async def users(self, count: int) -> list[str]:
        """Open users with 5.00 USD each."""
        ids: list[str] = []

        async def one(number: int) -> None:
            name = f"bench-{os.getpid()}-{number}-{time.monotonic_ns()}"
            user = await self.post("/users", {"external_user_id": name, "type": "SELLER"}, name)
            ids.append(user["id"])
            await self.post(f"/users/{user['id']}/balance/credit", {"amount": "5.00", "currency": "USD", "reference": name}, name)

        await each([one(number) for number in range(count)])
        return ids

    async def withdraw(self, user: str, address: str) -> str:
        """Take a withdrawal on."""
        body = {"user_id": user, "amount": "5.00", "currency": "USD", "destination": {"type": "stellar", "address": address}}
        return str((await self.post("/withdrawals", body, user))["id"])

    async def withdraw_all(self, users: Sequence[str], to: Sequence[str]) -> None:
        """Take withdrawals on, so many at once."""

        async def one(user: str, address: str) -> None:
            await self.withdraw(user, address)

        await each([one(user, address) for user, address in zip(users, to, strict=True)])

    async def post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """POST and return `data`."""
        answer = await self.api.post(path, json=body, headers={"Idempotency-Key": f"{key}{path[:40]}"})
        assert answer.is_success, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that everything has used: the stack, the bench itself, and what else runs on the machine."""
        watched = {"bench": [os.getpid()]} | pids_by_kind(self.stack)
        used = spent({}, sample(watched, urlsplit(self.stack.database_url()).path.lstrip("/")))
        return {**used, _ELSE: machine_seconds() - sum(used.values())}

    async def somewhere(self, count: int) -> None:
        """Make accounts that accept dollars."""
        asset = f"USDC:{self.stack.shell['STELLAR_USDC_ISSUER']}"
        for _ in range(count):
            asked = asyncio.create_task(self.chain.post("/sandbox/accounts", json={"trusts": [asset]}))
            while not asked.done():
                await self.chain.post("/sandbox/ledgers")
                await asyncio.sleep(0.05)
            self.good.append(asked.result().json()["address"])

    async def nowhere(self, count: int) -> list[str]:
        """Name accounts that are not there, and have Horizon keep that to itself."""
        named = [Keypair.random().public_key for _ in range(count)]
        for address in named:
            rule = {"fault": "stale_history", "match": {"path": f"/accounts/{address}"}}
            assert (await self.chain.post("/sandbox/faults", json=rule)).is_success
        return named


async def each(works: Sequence[Awaitable[None]]) -> None:
    """Do all of it, so many at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(work: Awaitable[None]) -> None:
        async with gate:
            await work

    await asyncio.gather(*(one(work) for work in works))


async def alone(bench: Bench, users: list[str]) -> list[float]:
    """Withdraw one after the other, and measure each until it is shown COMPLETED."""
    found = []
    for number, user in enumerate(users):
        await asyncio.sleep(0.7 * (number % 7))  # anywhere between two ledgers
        began = time.monotonic()
        made = await bench.withdraw(user, bench.good[number % len(bench.good)])
        while (await bench.api.get(f"/withdrawals/{made}")).json()["data"]["status"] != "COMPLETED":
            assert time.monotonic() < began + _PATIENCE_SECONDS, "a withdrawal alone does not complete"
            await asyncio.sleep(0.05)
        found.append(time.monotonic() - began)
    return found


async def measure(bench: Bench, workers: int, count: int, alone_count: int, say: Callable[[str], None]) -> Figures:
    """Measure withdrawals alone, then many at once."""
    await bench.somewhere(20)
    say(f"{count + alone_count} users")
    users = await bench.users(count + alone_count)
    say("one after the other")
    singles = await alone(bench, users[:alone_count])
    say(f"{count} at once, one in {BAD_SHARE} to nowhere")
    crowd = users[alone_count:]
    bad = await bench.nowhere(20)
    to = [bench.good[n % len(bench.good)] if n % BAD_SHARE else bad[n // BAD_SHARE % len(bad)] for n in range(count)]
    before, began = bench.cpu(), time.monotonic()
    await bench.withdraw_all(crowd, to)
    accepted = time.monotonic() - began
    seconds, after = await decided(bench, count + alone_count, began), bench.cpu()
    states = await states_of(bench)
    await check_paid(bench, states["COMPLETED"], Counter(each for each in to if each in bench.good))
    delay = await bench.database.fetchval(_DELAY)
    costs = {name: 1_000 * (after[name] - before[name]) / count for name in after}
    return Figures(workers, count, seconds, accepted, delay, singles, await describe(bench.stack), costs)


async def decided(bench: Bench, count: int, began: float) -> float:
    """Wait until so many withdrawals are in the books, and return the seconds since then."""
    while await bench.database.fetchval(_DECIDED) < count:
        states = await states_of(bench)
        assert time.monotonic() < began + _PATIENCE_SECONDS, f"they are not decided: {states}"
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def states_of(bench: Bench) -> dict[str, int]:
    """Count withdrawals by status."""
    return {record[0]: record[1] for record in await bench.database.fetch(_STATES)}


async def check_paid(bench: Bench, completed: int, wanted: Counter[str]) -> None:
    """Compare with the network's own balances: each was paid once, and nobody else."""
    accounts = (await bench.chain.get("/sandbox/balances")).json()["accounts"]
    asset = f"USDC:{bench.stack.shell['STELLAR_USDC_ISSUER']}"
    paid = sum(round(float(accounts[address][asset])) for address in bench.good)
    assert paid == 5 * completed, f"the network paid {paid}, and {completed} withdrawals of 5.00 are COMPLETED"
    assert completed >= wanted.total(), f"{wanted.total()} good ones, {completed} COMPLETED"


@contextlib.asynccontextmanager
async def opened(workers: int, channels: int) -> AsyncIterator[Bench]:
    """Run a stack with so many payouts processes and channels."""
    async with own_stack(
        OFFERHUB_LEDGER_MS=str(LEDGER_MS), STELLAR_CHANNELS=str(channels), OFFERHUB_PROCESSES=f"payouts={workers}"
    ) as stack:
        await check_identity(stack)
        headers = {"Authorization": f"Bearer {stack.shell['OFFERHUB_SUPPORT_KEY']}"}
        database = await asyncpg.connect(stack.database_url())
        try:
            async with (
                httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as api,
                httpx.AsyncClient(base_url=stack.shell["STELLAR_HORIZON_URL"], timeout=60, trust_env=False) as chain,
            ):
                yield Bench(stack, api, chain, database)
        finally:
            await database.close()


async def run(workers: int, count: int, alone_count: int, say: Callable[[str], None]) -> Figures:
    """Measure with so many payouts processes."""
    say(f"payouts processes: {workers}")
    async with opened(workers, CHANNELS) as bench:
        return await measure(bench, workers, count, alone_count, say)


async def scale(workers: int, say: Callable[[str], None]) -> Scaled:
    """Measure processes that have few channels each, with good destinations only."""
    channels = workers * CHANNELS_EACH
    count = channels * PAYMENTS_EACH
    say(f"payouts processes: {workers}, channels: {channels}, {count} withdrawals")
    async with opened(workers, channels) as bench:
        await bench.somewhere(20)
        users = await bench.users(count)
        to = [bench.good[number % len(bench.good)] for number in range(count)]
        before, began = machine_seconds(), time.monotonic()
        await bench.withdraw_all(users, to)
        seconds = await decided(bench, count, began)
        busy = (machine_seconds() - before) / seconds / (os.cpu_count() or 1)
        held = [record[0] for record in await bench.database.fetch(_HELD)]
        await check_paid(bench, (await states_of(bench))["COMPLETED"], Counter(to))
    return Scaled(workers, count, seconds, held, busy)


def main() -> int:
    """Return 0 when every target is met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.payouts", description="Measure withdrawals end to end.")
    parser.add_argument("--count", type=int, default=3_000)
    parser.add_argument("--alone", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1], help="payouts processes for the crowd, a run each")
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 2], help="payouts processes that are to add up, a run each")
    parser.add_argument("--quick", action="store_true", help="write nothing")
    chosen = parser.parse_args()
    runs = [asyncio.run(run(workers, chosen.count, chosen.alone, _say)) for workers in chosen.workers]
    scaled = [asyncio.run(scale(workers, _say)) for workers in chosen.scale]
    _say(written(runs, scaled))
    if not chosen.quick:
        PATH.write_text(written(runs, scaled))
    lines = missed(runs, scaled)
    for line in lines:
        _say(f"target missed: {line}")
    return 1 if lines else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

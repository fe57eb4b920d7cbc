"""`python -m tests.bench.deposits`: 10,000 deposits of a week in which nobody looked, proved and written down."""

import asyncio
import hashlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from libs.common.kernel.clock import SystemClock
from libs.common.messaging.publisher import Publisher
from libs.common.persistence.migrate import migrate
from libs.common.persistence.pool import open_pool
from services.payouts.clients.history import History, Line
from services.payouts.domain.deposits import Ours
from services.payouts.domain.ledger_chain import Header
from services.payouts.domain.strkey import read_account
from services.payouts.domain.xdr import asset_xdr
from services.payouts.handlers.keep_deposits import Keeper
from services.payouts.handlers.scan_ledgers import Scanner
from services.payouts.store import scans
from services.payouts.store.scans import Cursor
from tests.bench.journals import NullPublisher
from tests.support.chain import PASSPHRASE, address
from tests.support.deposits import till
from tests.support.servers import Borrowed, fresh_database, fresh_prefix
from tests.support.workers import settings

DEPOSITS, WEEK, STEP, WALLETS = 10_000, 7 * 86_400, 60, 10
_SECRET = "roles-of-a-bench"


class Remembered(History):
    """A Horizon whose answers are asked for once, and then remembered, so that only our own work is measured."""

    def __init__(self, url: str) -> None:
        """Ask here the first time."""
        super().__init__(url)
        self._known: dict[Any, Any] = {}

    async def headers(self, *, after: int) -> list[Header]:
        """Read headers."""
        if ("headers", after) not in self._known:
            self._known["headers", after] = await super().headers(after=after)
        return cast("list[Header]", self._known["headers", after])

    async def transactions(self, *, after: int, account: str = "") -> list[Line]:
        """Read transactions."""
        if ("transactions", after) not in self._known:
            self._known["transactions", after] = await super().transactions(after=after, account=account)
        return cast("list[Line]", self._known["transactions", after])


async def _scan(scanner: Scanner, pool: Any, cursor: Cursor) -> tuple[int, float, float]:
    await pool.execute("TRUNCATE deposits, outbox")
    await pool.execute("UPDATE scans SET ledger = $1, hash = $2", cursor.ledger, cursor.hash)
    began, cpu, steps = time.perf_counter(), time.process_time(), 0
    while True:
        turn = await scans.take(pool, "testnet", "bench", now=SystemClock().now(), until=SystemClock().now())
        if turn is None or turn.cursor is None or not await scanner.step(turn.cursor):
            return steps, time.perf_counter() - began, time.process_time() - cpu
        steps += 1


async def measure(url: str, amqp_url: str, prefix: str, state: Path) -> None:
    """Send the deposits, then look through the week twice: once over HTTP, once from memory."""
    await migrate(url, role_secret=_SECRET)
    config = settings(url, amqp_url, prefix, db_role_secret=_SECRET)
    pool = await open_pool(url, schema="payouts", size=4, application="bench")
    async with till(state, config, virtual_start=1_700_000_000, virtual_step=STEP) as desk:
        async with desk.desk.ledger():
            users = await desk.users(WALLETS)
        began = desk.chain.node.latest
        for number in range(DEPOSITS // 100):
            await desk.pay(*((users[place % WALLETS], f"0.{number * 100 + place + 1:07d}") for place in range(100)))
            await desk.chain.http.post("/sandbox/ledgers", json={"count": WEEK // STEP * 100 // DEPOSITS - 1})
        ours = Ours("testnet", address("treasury"), frozenset(), asset_xdr("USDC", read_account(address("issuer")) or b""))
        history = Remembered(desk.chain.url)
        network = hashlib.sha256(PASSPHRASE.encode()).digest()
        keeper = Keeper(pool, ours, SystemClock(), cast("Publisher", NullPublisher()), "bench")
        scanner = Scanner(keeper, history, network)
        await scanner.begin()
        first = await history.header(began)
        await pool.execute("INSERT INTO scans (network) VALUES ('testnet') ON CONFLICT DO NOTHING")
        for name in ("over HTTP, the sandbox in the same process", "from memory"):
            steps, seconds, cpu = await _scan(scanner, pool, Cursor(began, first.hash))
            found = await pool.fetchval("SELECT count(*) FROM deposits")
            sys.stdout.write(
                f"{name}: {found} deposits in {desk.chain.node.latest - began} ledgers, {steps} steps, {seconds:.2f} s, "
                f"CPU {cpu:.2f} s: {found / max(seconds, cpu):,.0f} a second\n"
            )
    await pool.close()


def main() -> None:
    """Measure on servers that are there."""
    with tempfile.TemporaryDirectory() as directory:
        borrowed = Borrowed(Path(directory))
        with (
            borrowed.postgres() as server,
            fresh_database(server) as url,
            borrowed.broker() as amqp,
            fresh_prefix(amqp) as prefix,
        ):
            asyncio.run(measure(url, amqp, prefix, Path(directory) / "chain"))


if __name__ == "__main__":
    main()

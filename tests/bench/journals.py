"""The ledger's write path fed from memory: inbox, outbox, replies and chain on, and a publisher that confirms at once."""

import asyncio
import cProfile
import gc
import io
import pstats
import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import cast

import asyncpg
import msgspec
import uvloop

from libs.common.contracts.accounts import available, reserved
from libs.common.contracts.commands.ledger import OpenUser, Posting, PostJournal
from libs.common.contracts.envelope import Envelope, encode, frame, raw
from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.money import UNIT
from libs.common.messaging.broker import PREFETCH_FRAMES
from libs.common.messaging.parking import Parking
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.worker import tune_garbage_collection
from libs.common.messaging.write_path import WritePath
from libs.common.persistence.migrate import migrate
from libs.common.persistence.pool import open_pool, role_url
from services.ledger.app import build
from tests.support.oracles import books_hold

ACCOUNTS = 1_000
JOURNALS = 20_000
FRAME = 200
_SECRET = "roles-of-a-bench"
_TENANT = Tenant("bench:live")


class Task(msgspec.Struct, frozen=True):
    """An empty database of our own, and how often to measure."""

    database_url: str
    rounds: int
    profile: bool = False


class Journals(msgspec.Struct, frozen=True):
    """Journals per second of each round: over many accounts, and all on one."""

    spread: list[float]
    hot: list[float]
    cpu_us: float
    """CPU of this process per journal, spread."""


class NullPublisher:
    """Confirms at once; nothing leaves the process."""

    def __init__(self) -> None:
        """Name queues like a stack of our own."""
        self.topology = Topology("bench.")

    def send_all(self, _: Sequence[bytes], **__: object) -> asyncio.Future[None]:
        """Confirm."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


async def measure(task: Task) -> Journals:
    """Post journals to fresh books, then check that the books hold."""
    await migrate(task.database_url, role_secret=_SECRET)
    url = role_url(task.database_url, service="ledger", secret=_SECRET)
    pool = await open_pool(url, schema="ledger", size=4, application="bench")
    service, publisher = build(), cast("Publisher", NullPublisher())
    parking = Parking(publisher, "ledger")
    path = WritePath(pool, publisher, parking, SystemClock(), schema=service.schema, use_cases=service.use_cases)
    users = [new_id("usr") for _ in range(ACCOUNTS)]
    await _accept(path, [(new_id("cmd"), OpenUser(user, user)) for user in users])
    credits_ = [_move("adjust", "platform:adjustments", available(user), UNIT * 10**6) for user in users]
    await _accept(path, [(new_id("jrn"), credit) for credit in credits_])
    tune_garbage_collection()
    dice = random.Random(7)
    owner = await asyncpg.connect(task.database_url)
    spread, hot, cpu = [], [], []
    for _ in range(task.rounds):
        await vacuum(owner)
        rate, seconds = await _timed(path, [dice.choice(users) for _ in range(JOURNALS)])
        spread.append(rate)
        cpu.append(seconds)
        hot.append((await _timed(path, [users[0]] * JOURNALS))[0])
    await path.drain()
    await pool.close()
    await books_hold(owner)
    posted = await owner.fetchval("SELECT count(*) FROM ledger.journals WHERE kind = 'reserve'")
    assert posted == 2 * JOURNALS * task.rounds, f"{posted} journals were posted"
    await owner.close()
    return Journals(spread, hot, min(cpu) / JOURNALS * 1e6)


async def vacuum(owner: asyncpg.Connection) -> None:
    """Do what autovacuum would by then: rounds on a server that has it off would each pay for the ones before."""
    await owner.execute("VACUUM ANALYZE")


def _move(kind: str, source: str, destination: str, amount: int) -> PostJournal:
    return PostJournal(kind, "USD", (Posting(source, destination, amount),))  # type: ignore[arg-type] # literals all


def _frames(messages: Sequence[tuple[str, msgspec.Struct]]) -> Iterator[bytes]:
    for place in range(0, len(messages), FRAME):
        part = messages[place : place + FRAME]
        yield frame([encode(Envelope(i, type(it).__name__, _TENANT, raw(it), reply_to="bench")) for i, it in part])


async def _accept(path: WritePath, messages: Sequence[tuple[str, msgspec.Struct]]) -> None:
    for body in _frames(messages):
        await path.accept(body)


async def _timed(path: WritePath, buyers: Sequence[str]) -> tuple[float, float]:
    frames = list(_frames([(new_id("jrn"), _move("reserve", available(user), reserved(user), 100)) for user in buyers]))
    some = asyncio.Semaphore(PREFETCH_FRAMES)  # as many as the broker hands out at once

    async def feed(body: bytes) -> None:
        async with some:
            await path.accept(body)

    gc.collect()
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(feed, frames))
    return len(buyers) / (time.perf_counter() - began), time.process_time() - used


def main() -> None:
    """Read the task from stdin, write what was measured to stdout; a profile goes to stderr."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    if not task.profile:
        sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measure(task))))
        return
    profile = cProfile.Profile()
    result = profile.runcall(asyncio.run, measure(task))
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(40)
    sys.stderr.write(text.getvalue())
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()

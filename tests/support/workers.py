"""Services run inside the test process, so that a test can kill one at any point and start it anew."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from libs.common.messaging import faults
from libs.common.messaging.worker import Service, Worker
from libs.common.persistence.migrate import migrate
from libs.common.settings import ServiceSettings
from tests.support.servers import fresh_database

ROLE_SECRET = "roles-of-a-test-run"
QUEUE_EXPIRES_MS = 120_000
_killed: set[Worker] = set()


def settings(postgres_url: str, amqp_url: str, bus_prefix: str, **others: Any) -> ServiceSettings:
    """What a worker of a test run reads from its environment."""
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": amqp_url,
        "bus_prefix": bus_prefix,
        "queue_expires_ms": QUEUE_EXPIRES_MS,
    }
    return ServiceSettings(**(values | others))


@contextlib.contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """Make a database of its own with every service's schema and role; it goes away with its roles."""
    with fresh_database(server_url) as url:
        asyncio.run(migrate(url, role_secret=ROLE_SECRET))
        yield url


@contextlib.asynccontextmanager
async def running(service: Service, config: ServiceSettings) -> AsyncIterator[Worker]:
    """Run a worker for the length of a block; one that was killed inside is not stopped again."""
    worker = Worker(service, config)
    await worker.__aenter__()
    try:
        yield worker
    finally:
        faults.clear_traps()
        if worker not in _killed:
            await worker.__aexit__(None, None, None)


async def kill(worker: Worker) -> None:
    """End a worker as kill -9 would: every connection drops, nothing is finished, nothing is told."""
    for task in (*worker._tasks, *worker.write_path._runners, *worker.write_path._publishing):
        task.cancel()
    worker.pool.terminate()
    _killed.add(worker)
    await worker.link.stop()
    connection = worker.broker._connection
    if connection is not None:
        with contextlib.suppress(Exception):
            await connection.close()
    worker._health._server = None


async def until(fact: Callable[[], Awaitable[Any]], *, seconds: float = 60.0) -> Any:
    """Poll until a fact is true and return it; fails with the last value seen."""
    deadline = time.monotonic() + seconds
    while True:
        value = await fact()
        if value:
            return value
        if time.monotonic() > deadline:
            message = f"not within {seconds} s; last seen: {value!r}"
            raise AssertionError(message)
        await asyncio.sleep(0.02)


def die_at(point: str, *, after: int = 1) -> asyncio.Event:
    """Arm a fault point to kill the process the nth time it is passed; the returned event says that it did."""
    died = asyncio.Event()
    left = [after]

    def trap() -> None:
        left[0] -= 1
        if left[0] <= 0:
            died.set()
            raise faults.KilledError(point)

    faults.set_trap(point, trap)
    return died

"""One webhooks process on a database and a bus of its own, a process of receivers, and events put on the bus from outside."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aio_pika
import asyncpg
import httpx

from libs.common.contracts.commands.webhooks import CreateEndpoint
from libs.common.contracts.envelope import encode, frame
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.persistence.migrate import migrate
from services.webhooks.settings import WebhooksSettings
from tests.bench.processes import cpu_seconds, memory_mb, sample, spent
from tests.support.events import event
from tests.support.webhooks import SECRET, webhooks_settings
from tests.support.workers import ROLE_SECRET

ROOT: Final = Path(__file__).resolve().parents[2]
FRAME: Final = 100
_VACUUM_SECONDS: Final = 5.0
_LOGGED: Final = "SELECT id, extract(epoch FROM logged_at)::float8 FROM webhooks.event_log WHERE tenant = ANY($1::text[])"
_QUEUE: Final = """
WITH logged AS (
    INSERT INTO webhooks.event_log (tenant, position, id, type, aggregate, sequence, user_ids, body, logged_at)
    SELECT $1, h.position + n, 'evt_' || md5($2 || n::text), 'order.created', 'queued:' || n, 1, '[]',
           '{"id":"x","type":"order.created","created_at":"2026-01-12T10:00:00.000Z","sequence":1,"data":{}}'::bytea, now()
      FROM webhooks.log_heads h CROSS JOIN generate_series(1, $3::int) n WHERE h.tenant = $1 RETURNING tenant, position, logged_at
), headed AS (
    UPDATE webhooks.log_heads SET position = position + $3::int WHERE tenant = $1
)
INSERT INTO webhooks.deliveries (tenant, endpoint_id, id, position, state, attempts, next_attempt_at, created_at, aggregate,
                                 logged_at)
SELECT tenant, $2, 'whd_' || md5($2 || position::text), position, 'PENDING', 0, logged_at, logged_at, '-', logged_at FROM logged
"""


@dataclass
class Field:
    """What a scenario works with."""

    config: WebhooksSettings
    owner: asyncpg.Connection
    rpc: RpcClient
    exchange: aio_pika.abc.AbstractExchange
    sink: httpx.AsyncClient
    sink_url: str
    worker_pid: int
    sink_pid: int
    sequences: dict[str, int] = field(default_factory=dict)

    async def endpoint(self, tenant: Tenant, path: str) -> str:
        """Register a receiver for everything that concerns orders."""
        made = new_id("wh")
        command = CreateEndpoint(made, f"{self.sink_url}{path}", ("order.*",), SECRET)
        reply = await self.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
        assert reply.refusal is None, reply.refusal
        return made

    async def happen(self, tenant: Tenant, count: int) -> None:
        """Publish so many events, each of an aggregate of its own."""
        first = self.sequences.get(tenant, 0)
        self.sequences[tenant] = first + count
        encoded = [encode(event(tenant, f"order:{number}", 1)) for number in range(first, first + count)]
        for start in range(0, count, FRAME):
            message = aio_pika.Message(frame(encoded[start : start + FRAME]), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self.exchange.publish(message, "orders", mandatory=True)

    async def queue(self, tenant: Tenant, endpoint_id: str, count: int) -> None:
        """Let so many deliveries wait for an endpoint."""
        await self.owner.execute(_QUEUE, tenant, endpoint_id, count)

    async def count(self) -> int:
        """How many deliveries arrived at `/ok` since they were told."""
        return int((await self.sink.get("/count")).text)

    async def told(self) -> list[tuple[str, str, float]]:
        """What arrived since this was asked last: (event, path, Unix seconds)."""
        return [(name, path, at) for name, path, at in (await self.sink.get("/told")).json()]

    async def delays_ms(self, tenants: Sequence[Tenant]) -> list[float]:
        """How long each arrival of these tenants' events took from the instant its event was logged with, sorted."""
        logged: dict[str, float] = {row[0]: row[1] for row in await self.owner.fetch(_LOGGED, tenants)}
        return sorted((at - logged[name]) * 1_000 for name, _, at in await self.told() if name in logged)

    def cpu_seconds(self) -> float:
        """What the webhooks process has used."""
        return cpu_seconds(self.worker_pid)

    def all_seconds(self) -> float:
        """What the bench and all that works for it have used."""
        watched = {"webhooks": [self.worker_pid], "sink": [self.sink_pid], "generator": [os.getpid()]}
        database = self.config.database_url.get_secret_value().rsplit("/", 1)[1]
        return sum(spent({}, sample(watched, database)).values())

    def rss_mb(self) -> float:
        """What the webhooks process holds."""
        return memory_mb(self.worker_pid)[0]


def tenant() -> Tenant:
    """A tenant that nobody was before."""
    return Tenant(f"{new_id('req')}:live")


async def until(done: float) -> None:
    """Sleep until an instant of the monotonic clock."""
    await asyncio.sleep(max(0.0, done - time.monotonic()))


@contextlib.asynccontextmanager
async def open_field(postgres_url: str, amqp_url: str, prefix: str) -> AsyncIterator[Field]:
    """Start both processes on an empty database; they end with the block."""
    await migrate(postgres_url, role_secret=ROLE_SECRET)
    config = webhooks_settings(postgres_url, amqp_url, prefix, queue_expires_ms=600_000)
    pipe = asyncio.subprocess.PIPE
    sink = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench_webhooks.sink", cwd=ROOT, stdout=pipe)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.webhooks", cwd=ROOT, env=_environment(config), stdout=asyncio.subprocess.DEVNULL
    )
    owner = await asyncpg.connect(postgres_url)
    link = Link(amqp_url, Topology(prefix, config.queue_expires_ms), name="bench")
    rpc = RpcClient(link, Publisher(link), instance="bench")
    try:
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{int(await sink.stdout.readline())}"
        await link.start()
        await link.wait_up(20)
        async with httpx.AsyncClient(base_url=url, timeout=60) as client, await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(link.topology.events.name)
            vacuuming = asyncio.create_task(_vacuum(postgres_url))
            yield Field(config, owner, rpc, exchange, client, url, worker.pid, sink.pid)
            vacuuming.cancel()
    finally:
        for process in (worker, sink):
            if process.returncode is None:
                process.terminate()
            await process.wait()
        await link.stop()
        await owner.close()


async def _vacuum(url: str) -> None:
    """Do what autovacuum does where it is on: a table that was never analysed is claimed from by any index."""
    owner = await asyncpg.connect(url)
    try:
        while True:
            await asyncio.sleep(_VACUUM_SECONDS)
            await owner.execute("VACUUM ANALYZE webhooks.deliveries_pending")
            await owner.execute("ANALYZE webhooks.event_log")
    finally:
        await owner.close()


def _environment(config: WebhooksSettings) -> dict[str, str]:
    """The process' settings: as shipped, but for private networks."""
    return os.environ | {
        "DATABASE_URL": config.database_url.get_secret_value(),
        "OFFERHUB_DB_ROLE_SECRET": ROLE_SECRET,
        "AMQP_URL": config.amqp_url.get_secret_value(),
        "OFFERHUB_BUS_PREFIX": config.bus_prefix,
        "OFFERHUB_QUEUE_EXPIRES_MS": str(config.queue_expires_ms),
        "OFFERHUB_LOG_LEVEL": "ERROR",
        "OFFERHUB_WEBHOOK_SECRET_KEYS": config.secret_keys.get_secret_value(),
        "OFFERHUB_WEBHOOK_PRIVATE_NETWORKS": "true",
    }

"""A long log is replayed while the processes that make the steps are killed: no event is skipped, and none is made twice."""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from libs.common.contracts.commands.webhooks import CreateEndpoint, StartReplay
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from services.webhooks.settings import WebhooksSettings
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import SECRET

ROOT: Final = Path(__file__).resolve().parents[2]
POINTS: Final = ("replay.enqueued", "replay.stepped", "delivery.claimed", "delivery.sent", "delivery.recorded")
PASSES_MAX: Final = 12
PAUSE_SECONDS: Final = (0.5, 2.0)
LEASE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05
_FILL = """
WITH made AS (
    INSERT INTO webhooks.event_log (tenant, position, id, type, aggregate, sequence, user_ids, body, logged_at)
    SELECT $1, n, 'evt_' || lpad(n::text, 26, '0'), 'order.created', 'order:' || n, 1, '[]',
           convert_to(format('{"id":"evt_%s","type":"order.created","created_at":"2026-01-12T10:00:00.000Z","sequence":1,"data":{}}',
                             lpad(n::text, 26, '0')), 'UTF8'), now()
      FROM generate_series(1, $2::int) n)
INSERT INTO webhooks.log_heads (tenant, log, position) VALUES ($1, 'events', $2)
"""
_SEEN = """
SELECT r.state, r.enqueued, r.cursor, count(d.id), count(DISTINCT d.position), count(*) FILTER (WHERE d.state = 'DELIVERED')
  FROM webhooks.replays r LEFT JOIN webhooks.deliveries d ON d.tenant = r.tenant AND d.replay_id = r.id
 WHERE r.tenant = $1 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Wish:
    """How long the log is, and what happens meanwhile."""

    events: int
    kills: int
    processes: int = 3
    per_second: int = 1_000
    seed: int = 20
    first_fault: str = ""
    """A fault that one process begins with."""
    patience_seconds: float = 600.0


@dataclass
class Seen:
    """What was there afterwards."""

    events: int
    kills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    """Deaths at a fault point."""
    state: str = ""
    enqueued: int = 0
    cursor: int = 0
    deliveries: int = 0
    positions: int = 0
    delivered: int = 0
    received: int = 0
    distinct: int = 0
    seconds: float = 0.0
    surprises: list[int] = field(default_factory=list)
    """How processes ended that nobody had killed."""

    def breaches(self) -> list[str]:
        """List what must not be."""
        counts = {
            "deliveries made": self.deliveries,
            "deliveries counted by the job": self.enqueued,
            "events with a delivery": self.positions,
            "deliveries that arrived": self.delivered,
            "events that the receiver got": self.distinct,
            "positions looked at": self.cursor,
        }
        found = [f"{name}: {count} of {self.events}" for name, count in counts.items() if count != self.events]
        found += [] if self.state == "COMPLETED" else [f"the replay ended as {self.state or 'nothing'}"]
        return found + [f"a process ended with {status}" for status in self.surprises]


@dataclass
class Herd:
    """Processes of the service: each comes back when it dies, sometimes with a fault point armed."""

    config: WebhooksSettings
    seen: Seen
    dice: random.Random
    running: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)
    killed: set[int] = field(default_factory=set)
    ends: bool = False

    async def keep(self, number: int, fault: str) -> None:
        """Keep one process running until the herd ends."""
        while not self.ends:
            process = await self._start(number, fault)
            self.running[number] = process
            status = await process.wait()
            if fault and status == -signal.SIGKILL and process.pid not in self.killed:
                self.seen.points[fault.partition(":")[0]] += 1
            elif process.pid not in self.killed:
                self.seen.surprises.append(status)
            fault = f"{self.dice.choice(POINTS)}:{self.dice.randint(1, PASSES_MAX)}" if self.dice.random() < 0.5 else ""

    async def kill_now_and_then(self, kills: int) -> None:
        """Kill some of them from outside."""
        for _ in range(kills):
            await asyncio.sleep(self.dice.uniform(*PAUSE_SECONDS))
            self._kill(self.dice.choice(list(self.running)))
            self.seen.kills += 1

    def end(self) -> None:
        """Kill them all, for good."""
        self.ends = True
        for number in list(self.running):
            self._kill(number)

    def _kill(self, number: int) -> None:
        process = self.running[number]
        if process.returncode is None:
            self.killed.add(process.pid)
            process.kill()

    async def _start(self, number: int, fault: str) -> asyncio.subprocess.Process:
        config = self.config
        environment = os.environ | {
            "DATABASE_URL": config.database_url.get_secret_value(),
            "OFFERHUB_DB_ROLE_SECRET": config.db_role_secret.get_secret_value(),
            "AMQP_URL": config.amqp_url.get_secret_value(),
            "OFFERHUB_BUS_PREFIX": config.bus_prefix,
            "OFFERHUB_QUEUE_EXPIRES_MS": str(config.queue_expires_ms),
            "OFFERHUB_INSTANCE": str(number),
            "OFFERHUB_LOG_LEVEL": "ERROR",
            "OFFERHUB_FAULT": fault,
            "OFFERHUB_WEBHOOK_SECRET_KEYS": config.secret_keys.get_secret_value(),
            "OFFERHUB_WEBHOOK_PRIVATE_NETWORKS": "true",
            "OFFERHUB_WEBHOOK_LEASE_SECONDS": str(LEASE_SECONDS),
            "OFFERHUB_WEBHOOK_POLL_SECONDS": str(_POLL_SECONDS),
        }
        nowhere = asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.webhooks", cwd=ROOT, env=environment, stdout=nowhere, stderr=nowhere
        )


async def replay_under_kills(config: WebhooksSettings, wish: Wish) -> Seen:
    """Fill a log, replay it under kills and say what was found, on a migrated database and a bus of its own."""
    seen, tenant = Seen(wish.events), Tenant(f"{new_id('req')}:live")
    owner = await asyncpg.connect(config.database_url.get_secret_value())
    herd = Herd(config, seen, random.Random(wish.seed))
    try:
        await owner.execute("SET search_path = webhooks")
        await owner.execute(_FILL, tenant, wish.events)
        async with receiving() as receiver, _asking(config) as rpc, asyncio.TaskGroup() as group:
            for number in range(1, wish.processes + 1):
                group.create_task(herd.keep(number, wish.first_fault if number == 1 else ""))
            try:
                await _begin(rpc, tenant, receiver, wish)
                began = time.monotonic()
                killer = group.create_task(herd.kill_now_and_then(wish.kills))
                await _wait(owner, tenant, seen, deadline=began + wish.patience_seconds)
                seen.seconds = time.monotonic() - began
                killer.cancel()
            finally:
                herd.end()
            ids = receiver.event_ids()
            seen.received, seen.distinct = len(ids), len(set(ids))
    finally:
        await owner.close()
    return seen


@asynccontextmanager
async def _asking(config: WebhooksSettings) -> AsyncIterator[RpcClient]:
    link = Link(config.amqp_url.get_secret_value(), Topology(config.bus_prefix, config.queue_expires_ms), name="chaos")
    client = RpcClient(link, Publisher(link), instance="chaos")
    await link.start()
    await link.wait_up(10)
    try:
        yield client
    finally:
        await link.stop()


async def _begin(rpc: RpcClient, tenant: Tenant, receiver: Receiver, wish: Wish) -> None:
    endpoint = new_id("wh")
    for command in (
        CreateEndpoint(endpoint, receiver.url, ("user.*",), SECRET),
        StartReplay(new_id("rpl"), endpoint, to_position=wish.events, per_second=wish.per_second, events=("order.*",)),
    ):
        reply = await rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
        assert reply.refusal is None, reply.refusal


async def _wait(owner: asyncpg.Connection, tenant: Tenant, seen: Seen, *, deadline: float) -> None:
    while time.monotonic() < deadline:
        state = await owner.fetchval("SELECT state FROM webhooks.replays WHERE tenant = $1", tenant)
        if state == "COMPLETED":
            break
        await asyncio.sleep(_POLL_SECONDS)
    row = await owner.fetchrow(_SEEN, tenant)
    if row is not None:
        seen.state, seen.enqueued, seen.cursor, seen.deliveries, seen.positions, seen.delivered = row

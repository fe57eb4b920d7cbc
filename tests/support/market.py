"""A buyer, a seller and the services between them, driven over the bus as a gateway drives them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Self

import aio_pika
import asyncpg
import msgspec

from libs.common.contracts.accounts import available
from libs.common.contracts.commands.escrow import CreateEscrow, CreateOrder, FundEscrow, OpenDispute, ReserveOrder
from libs.common.contracts.commands.ledger import OpenUser, Posting, PostJournal
from libs.common.contracts.envelope import Event, Reply, unframe
from libs.common.contracts.queries.ledger import GetBalance
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.money import UNIT
from libs.common.messaging import faults
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.messaging.worker import Service, Worker
from libs.common.settings import ServiceSettings
from services.escrow.app import build as build_escrow
from services.escrow.settings import EscrowSettings
from services.ledger.app import build as build_ledger
from tests.support.workers import running

_process: ContextVar[str] = ContextVar("process", default="test")
"""Which service a task belongs to: tasks inherit it from the one that started the worker."""


@dataclass(frozen=True)
class Refused(Exception):
    """A service said no."""

    code: str
    details: dict[str, Any]


@dataclass
class Market:
    """One tenant's market; amounts are whole units."""

    config: ServiceSettings
    client: RpcClient
    tenant: Tenant
    owner: asyncpg.Connection

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, config: ServiceSettings) -> AsyncIterator[Self]:
        """A market without its services: a client that outlives them, and the database as its owner sees it."""
        topology = Topology(config.bus_prefix, config.queue_expires_ms)
        link = Link(config.amqp_url.get_secret_value(), topology, name="test")
        client = RpcClient(link, Publisher(link), instance="test")
        await link.start()
        await link.wait_up(10)
        owner = await asyncpg.connect(config.database_url.get_secret_value())
        market = cls(config, client, Tenant(f"{new_id('req')}:live"), owner)
        try:
            yield market
        finally:
            await market.owner.close()
            await link.stop()

    @contextlib.asynccontextmanager
    async def escrow(self, *, fee_bps: int = 0) -> AsyncIterator[Worker]:
        """Run one escrow process."""
        url = self.config.database_url
        settings = EscrowSettings(database_url=url, platform_fee_bps=fee_bps)  # type: ignore[call-arg]
        async with as_process("escrow", build_escrow(settings), self.config) as worker:
            yield worker

    @contextlib.asynccontextmanager
    async def ledger(self) -> AsyncIterator[Worker]:
        """Run one ledger process."""
        async with as_process("ledger", build_ledger(), self.config) as worker:
            yield worker

    @contextlib.asynccontextmanager
    async def open(self, *, fee_bps: int = 0) -> AsyncIterator[Self]:
        """Run both."""
        async with self.ledger(), self.escrow(fee_bps=fee_bps):
            yield self

    async def ask(self, service: str, message: msgspec.Struct, command_id: str | None = None) -> Reply:
        """Send a command and await its answer, whatever it is."""
        return await self.client.command(service, message, tenant=self.tenant, command_id=command_id or new_id("cmd"))

    async def do(self, message: msgspec.Struct, command_id: str | None = None, *, service: str = "escrow") -> Any:
        """Send a service a command and return its result as plain dictionaries, or raise its refusal."""
        return _read(await self.ask(service, message, command_id))

    async def query(self, message: msgspec.Struct, service: str = "escrow") -> Any:
        """Ask a service what it knows."""
        return _read(await self.client.query(service, message, tenant=self.tenant))

    async def user(self, *, balance: int = 0) -> str:
        """Open a user with some USD."""
        user_id = new_id("usr")
        _read(await self.ask("ledger", OpenUser(user_id, f"ext-{user_id}")))
        if balance:
            await self.credit(user_id, balance)
        return user_id

    async def credit(self, user_id: str, units: int) -> None:
        """Give a user some USD."""
        posting = Posting("platform:adjustments", available(user_id), units * UNIT)
        _read(await self.ask("ledger", PostJournal("adjust", "USD", (posting,)), new_id("jrn")))

    async def balance(self, user_id: str) -> tuple[str, str]:
        """A user's (available, held) USD."""
        balances = (await self.query(GetBalance(user_id), "ledger"))["balances"]
        usd = next(line for line in balances if line["currency"] == "USD")
        return usd["available"], usd["held"]

    async def order(self, buyer: str, seller: str, units: int = 100, **terms: Any) -> str:
        """Create an order and return its id."""
        order_id = new_id("ord")
        await self.do(CreateOrder(order_id, buyer, seller, units * UNIT, "USD", "USD", "Logo", **terms))
        return order_id

    async def order_at(self, status: str, buyer: str, seller: str, units: int = 100) -> str:
        """Create an order and bring it as far as `status`."""
        order_id = await self.order(buyer, seller, units)
        steps = {
            "FUNDS_RESERVED": ReserveOrder(order_id),
            "ESCROW_FUNDING": CreateEscrow(order_id, units * UNIT, "USD"),
            "IN_PROGRESS": FundEscrow(order_id),
            "DISPUTED": OpenDispute(order_id, "BUYER"),
        }
        for reached, step in steps.items():
            await self.do(step)
            if reached == status:
                break
        return order_id

    async def row(self, order_id: str) -> asyncpg.Record:
        """An order's row."""
        query = "SELECT * FROM escrow.orders WHERE tenant = $1 AND id = $2"
        row = await self.owner.fetchrow(query, self.tenant, order_id)
        assert row is not None, f"{order_id} is not there"
        return row

    async def party_is(self, user_id: str, status: str, *, sequence: int = 0) -> bool:
        """Tell whether escrow's copy of a user has this status, from this event or a later one."""
        query = "SELECT status, sequence FROM escrow.parties WHERE tenant = $1 AND user_id = $2"
        row = await self.owner.fetchrow(query, self.tenant, user_id)
        return row is not None and row["status"] == status and row["sequence"] >= sequence

    async def journals(self, order_id: str) -> list[str]:
        """The kinds of the journals that were posted for an order, sorted."""
        query = "SELECT kind FROM ledger.journals WHERE tenant = $1 AND subject = $2 ORDER BY kind"
        return [row[0] for row in await self.owner.fetch(query, self.tenant, order_id)]

    async def hurry(self) -> None:
        """Let everything that waits for its time be due now."""
        await self.owner.execute("UPDATE escrow.outbox SET publish_after = now()")
        await self.owner.execute("UPDATE ledger.outbox SET publish_after = now()")
        await self.owner.execute("UPDATE escrow.orders SET pending_due = now() WHERE pending_due IS NOT NULL")

    async def events(self, order_id: str) -> list[str]:
        """Tell the types of an order's events."""
        return await self.told(f"order:{order_id}")

    async def told(self, aggregate: str) -> list[str]:
        """Drain the webhooks' queue: the types of an aggregate's events, in sequence; fails on a gap or a second id."""
        topology = Topology(self.config.bus_prefix, self.config.queue_expires_ms)
        seen: dict[int, set[tuple[str, str]]] = {}
        async with await aio_pika.connect(self.config.amqp_url.get_secret_value()) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(topology.event_queue("webhooks").name)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                for envelope in unframe(message.body)[0]:
                    event = msgspec.json.decode(envelope.body, type=Event)
                    if envelope.tenant == self.tenant and event.aggregate == aggregate:
                        seen.setdefault(event.sequence, set()).add((envelope.id, envelope.type))
        assert sorted(seen) == list(range(1, len(seen) + 1)), f"a gap: {sorted(seen)}"
        assert all(len(told) == 1 for told in seen.values()), "one number was told twice differently"
        return [next(iter(seen[number]))[1] for number in sorted(seen)]


@contextlib.asynccontextmanager
async def as_process(name: str, service: Service, config: ServiceSettings) -> AsyncIterator[Worker]:
    """Run a service whose tasks are known by its name."""
    manager = running(service, config)
    token = _process.set(name)
    try:
        worker = await manager.__aenter__()
    finally:
        _process.reset(token)
    try:
        yield worker
    finally:
        await manager.__aexit__(None, None, None)


def die_in(process: str, point: str, *, after: int = 1) -> asyncio.Event:
    """Arm a fault point to kill one of the services the nth time it passes there; the returned event says that it did."""
    died = asyncio.Event()
    left = [after]

    def trap() -> None:
        if _process.get() != process:
            return
        left[0] -= 1
        if left[0] <= 0:
            died.set()
            raise faults.KilledError(point)

    faults.set_trap(point, trap)
    return died


async def codes(asked: list[Awaitable[Any]]) -> list[str]:
    """Run commands at once and return how each ended: `ok` or its refusal's code, sorted."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
            raise outcome
    return sorted(outcome.code if isinstance(outcome, Refused) else "ok" for outcome in outcomes)


def _read(reply: Reply) -> Any:
    if reply.refusal is not None:
        raise Refused(reply.refusal.code, reply.refusal.details)
    return msgspec.json.decode(reply.result)

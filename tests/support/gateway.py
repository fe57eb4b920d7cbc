"""A gateway served inside the test process, and services on the real bus that answer what a test tells them to."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from deploy.local import api
from libs.common.contracts.catalog import COMMANDS, QUERIES
from libs.common.contracts.envelope import Envelope, frame, reply_body, reply_to, unframe
from libs.common.contracts.queries.common import Ping
from libs.common.contracts.replies.common import Pong
from libs.common.contracts.replies.escrow import Order
from libs.common.contracts.replies.ledger import User
from libs.common.contracts.topology import SERVICES, Topology
from libs.common.kernel.errors import Refusal
from services.gateway.__main__ import listen
from services.gateway.app import Gateway
from services.gateway.entrypoints.http.server import Server
from services.gateway.settings import GatewaySettings
from tests.support.api_document import COMPARED
from tests.support.workers import QUEUE_EXPIRES_MS, ROLE_SECRET, until

MASTER_KEY = "the-master-key-of-a-test-run"
_MASTER = {"Authorization": f"Bearer {MASTER_KEY}"}


NOW = "2026-01-12T10:00:00.000Z"


def order(**changes: object) -> Order:
    values: dict[str, object] = {
        "id": "ord_1",
        "client_order_ref": None,
        "buyer_id": "usr_1",
        "seller_id": "usr_2",
        "amount": "100.00",
        "currency": "USD",
        "status": "ORDER_CREATED",
        "final_status": None,
        "title": "Logo",
        "description": None,
        "metadata": None,
        "platform_fee_bps": 0,
        "milestones": (),
        "escrow": None,
        "dispute": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Order(**(values | changes))  # type: ignore[arg-type] # the table above has every field


def user(user_id: str, external_user_id: str) -> User:
    return User(user_id, external_user_id, "BOTH", "ACTIVE", None, {}, NOW, NOW)


def gateway_settings(postgres_url: str, amqp_url: str, bus_prefix: str, **others: Any) -> GatewaySettings:
    """What a gateway of a test run reads from its environment."""
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": amqp_url,
        "bus_prefix": bus_prefix,
        "queue_expires_ms": QUEUE_EXPIRES_MS,
        "master_key": MASTER_KEY,
        "rate_limits": "off",
        "recorded_reads": 0.0,
        "port": 0,
    }
    return GatewaySettings(**(values | others))


@dataclass
class Served:
    """A gateway and a client of it that carries the master key."""

    gateway: Gateway
    client: httpx.AsyncClient
    port: int

    def keyed(self, key: str) -> dict[str, str]:
        """Headers of another key."""
        return {"Authorization": f"Bearer {key}"}


@contextlib.asynccontextmanager
async def serving(settings: GatewaySettings, **choices: Any) -> AsyncIterator[Served]:
    """Serve a gateway on a free port for the length of a block; `choices` go to its constructor."""
    async with Gateway(settings, **choices) as gateway:
        listener = listen(settings)
        port = listener.getsockname()[1]
        server = Server(gateway.asgi, on_drain=gateway.drain, quiet_seconds=0)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/api/v1", headers=_MASTER, timeout=30, limits=limits, event_hooks=COMPARED
        ) as client:
            try:
                yield Served(gateway, client, port)
            finally:
                server.should_exit = True
                await task


@dataclass
class Process:
    """A gateway in a process of its own, and a client of it that carries the master key."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient


@contextlib.asynccontextmanager
async def gateway_process(settings: GatewaySettings, **environment: str) -> AsyncIterator[Process]:
    """Run a gateway on a socket that it inherits, for the length of a block; `environment` overrides the settings."""
    told = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "OFFERHUB_DB_ROLE_SECRET": ROLE_SECRET,
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "OFFERHUB_BUS_PREFIX": settings.bus_prefix,
        "OFFERHUB_QUEUE_EXPIRES_MS": str(QUEUE_EXPIRES_MS),
        "OFFERHUB_MASTER_KEY": MASTER_KEY,
        "OFFERHUB_RATE_LIMITS": settings.rate_limits,
    }
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        told["OFFERHUB_GATEWAY_FD"] = str(listener.fileno())
        port_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "health.port"
        told["OFFERHUB_HEALTH_PORT_FILE"] = str(port_file)
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - that is what the call says
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.gateway"),
            env=os.environ | told | environment,
            pass_fds=[listener.fileno()],
            stdout=asyncio.subprocess.DEVNULL,
        )
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"

        async def is_ready() -> bool:
            return port_file.exists() and not await api.ready(int(port_file.read_text()))

        try:
            await until(is_ready, seconds=120)
            listener.close()
            async with httpx.AsyncClient(base_url=base, headers=_MASTER, timeout=30) as client:
                yield Process(process, client)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


Outcome = msgspec.Struct | Refusal | None
"""A reply, a refusal, or silence."""


@dataclass
class FakeServices:
    """Every service at once: answers by the name of the message, and remembers like an inbox does."""

    answers: dict[str, Callable[[Any], Outcome]] = field(default_factory=dict)
    heard: list[tuple[Envelope, Any]] = field(default_factory=list)
    effects: dict[str, bytes] = field(default_factory=dict)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, commands wait for it."""

    def __post_init__(self) -> None:
        self.held.set()

    def told(self, kind: str) -> list[Any]:
        """The messages of one kind that arrived."""
        return [message for envelope, message in self.heard if envelope.type == kind]

    async def accept(self, channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
        envelopes, _ = unframe(message.body)
        await message.ack()
        for envelope in envelopes:
            if envelope.type == Ping.__name__:
                await channel.default_exchange.publish(
                    aio_pika.Message(frame([reply_to(envelope, reply_body(Pong()))])), routing_key=envelope.reply_to
                )
                continue
            kinds = COMMANDS | QUERIES
            body = msgspec.json.decode(envelope.body, type=kinds[envelope.type, envelope.version])
            self.heard.append((envelope, body))
            if (envelope.type, envelope.version) in COMMANDS:
                await self.held.wait()
            if envelope.id not in self.effects:
                outcome = self.answers[envelope.type](body)
                if outcome is None:
                    continue
                self.effects[envelope.id] = reply_body(outcome)
            answer = frame([reply_to(envelope, self.effects[envelope.id])])
            await channel.default_exchange.publish(aio_pika.Message(answer), routing_key=envelope.reply_to, mandatory=False)


@contextlib.asynccontextmanager
async def fake_services(amqp_url: str, bus_prefix: str) -> AsyncIterator[FakeServices]:
    """Consume every service's queues for the length of a block; what nobody consumed before is thrown away."""
    fake = FakeServices()
    topology = Topology(bus_prefix, QUEUE_EXPIRES_MS)
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        for service in SERVICES:
            for spec in (topology.command_queue(service), topology.query_queue(service)):
                queue = await channel.get_queue(spec.name)
                await queue.purge()

                async def on_message(message: AbstractIncomingMessage) -> None:
                    await fake.accept(channel, message)

                await queue.consume(on_message)
        yield fake


async def make_key(served: Served, **fields: object) -> dict[str, Any]:
    """A new API key, as the answer that made it shows it."""
    answer = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read", "write"]} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error of an answer; fails when it is none or not in our envelope."""
    error: dict[str, Any] = json.loads(response.content)["error"]
    assert set(error) == {"code", "message", "details", "request_id", "doc_url", "retryable"}
    assert error["request_id"] == response.headers["x-request-id"] or response.headers.get("idempotency-replay")
    return error


def fields_of(response: httpx.Response) -> list[str]:
    """The fields a validation error names."""
    assert response.status_code == 400, response.text
    error = error_of(response)
    assert error["code"] == "VALIDATION_ERROR"
    return [problem["field"] for problem in error["details"]["fields"]]


async def let_go(owner: asyncpg.Connection, key: str) -> None:
    """Wait until what becomes of an Idempotency-Key has been written down."""

    async def settled() -> bool:
        return await owner.fetchval("SELECT claimed_at IS NULL FROM gateway.requests WHERE key = $1", key) is True

    await until(settled)


async def gathered(*requests: Awaitable[httpx.Response]) -> list[httpx.Response]:
    """All answers of requests sent together."""
    return list(await asyncio.gather(*requests))

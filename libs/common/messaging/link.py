"""One connection to the broker that comes back by itself, and tells its users when it came and went."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection

from libs.common.contracts.topology import Topology
from libs.common.kernel.errors import TransientError

RECONNECT_SECONDS: Final = 0.5
CONNECT_TIMEOUT_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 10
_log = structlog.get_logger("offerhub.link")


class NotPublishedError(TransientError):
    """The broker never got the message: nothing happened."""


class OutcomeUnknownError(TransientError):
    """The message may have been published, but its confirm or answer is lost."""


class Link:
    """A broker connection kept alive; declares the whole topology each time it comes up.

    aio-pika's own robust connection restores exclusive queues under their old name, which the broker still locks after a
    half-open loss; so this one starts every connection from nothing.
    """

    def __init__(self, url: str, topology: Topology, *, name: str) -> None:
        """Remember where to connect; `name` is what the broker's own tools show."""
        self._url = url
        self._name = name
        self.topology = topology
        self.channel: AbstractChannel | None = None
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self.on_up: list[Callable[[AbstractConnection], Awaitable[None]]] = []
        self.on_lost: list[Callable[[], None]] = []

    @property
    def is_up(self) -> bool:
        """Tell whether something can be published now."""
        return self._up.is_set()

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._keeper = asyncio.create_task(self._keep(), name=f"link {self._name}")

    async def wait_up(self, timeout: float) -> None:
        """Wait for the connection.

        Raises:
            NotPublishedError: it did not come up within `timeout` seconds.
        """
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            raise NotPublishedError("no connection to the broker") from None

    async def ping(self) -> None:
        """Return when the broker has answered: there and back on the connection that is up.

        Raises:
            NotPublishedError: none is up. OSError, aio_pika.exceptions.AMQPError: it broke.
        """
        if self.channel is None:
            raise NotPublishedError("no connection to the broker")
        commands = self.topology.commands
        await self.channel.declare_exchange(commands.name, commands.type, durable=True)

    async def stop(self) -> None:
        """Close the connection and stop trying."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._drop()

    async def _keep(self) -> None:
        while True:
            try:
                await self._connect()
            except (OSError, TimeoutError, aio_pika.exceptions.AMQPError, RuntimeError) as error:
                _log.warning("broker.unreachable", link=self._name, error=repr(error))
                await self._drop()
            else:
                _log.info("broker.connected", link=self._name)
                await self._lost.wait()
                _log.warning("broker.lost", link=self._name)
                await self._drop()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self) -> None:
        self._lost.clear()
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            connection = await aio_pika.connect(
                self._url, heartbeat=HEARTBEAT_SECONDS, client_properties={"connection_name": self._name}
            )
            self._connection = connection
            connection.close_callbacks.add(self._closed)
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            channel.close_callbacks.add(self._closed)
            await declare(channel, self.topology)
            self.channel = channel
            for hook in self.on_up:
                await hook(connection)
        self._up.set()

    def _closed(self, *_: object) -> None:
        self._up.clear()
        self._lost.set()

    async def _drop(self) -> None:
        self._up.clear()
        self.channel = None
        for hook in self.on_lost:
            hook()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await connection.close()


async def declare(channel: AbstractChannel, topology: Topology) -> None:
    """Declare every exchange and queue of the stack, so that no message meets a missing one whoever starts first."""
    for exchange in topology.exchanges():
        await channel.declare_exchange(exchange.name, exchange.type, durable=True)
    for spec in topology.queues():
        queue = await channel.declare_queue(spec.name, durable=True, arguments=dict(spec.arguments))
        for exchange_name, routing_key in spec.bindings:
            await queue.bind(exchange_name, routing_key)

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.amqp import snapshot
from deploy.local.amqp.handshake import Handshake
from deploy.local.amqp.memory import MemoryGauge
from deploy.local.amqp.protocol import BrokerProtocol
from deploy.local.amqp.vhost import VirtualHost

DEFAULT_MEMORY_LIMIT_BYTES = 512 * 1024 * 1024
DROP_SECONDS = 5.0
GOODBYE_SECONDS = 0.3


def _unix_now() -> float:
    return time.time_ns() / 1e9


class EmbeddedBroker:
    """An AMQP 0-9-1 broker in this process and event loop, for development and tests.

    `async with EmbeddedBroker() as broker:` and connect to `broker.url`. With a `state` file, an orderly stop writes
    what is durable to it and the next start takes it back; a killed process loses what was queued.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        memory_limit_bytes: int = DEFAULT_MEMORY_LIMIT_BYTES,
        unix_now: Callable[[], float] = _unix_now,
    ) -> None:
        self.host = host
        self.port = port
        self._state = state
        self._unix_now = unix_now
        self._gauge = MemoryGauge(memory_limit_bytes)
        self._vhosts: dict[str, VirtualHost] = {}
        self._connections: set[BrokerProtocol] = set()
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"amqp://guest:guest@{host}:{self.port}/"

    @property
    def queued_bytes(self) -> int:
        """What the memory limit is held against: bodies of queued and unsettled messages and their bookkeeping."""
        return self._gauge.used_bytes

    async def start(self) -> None:
        """Listens, with the state of the last orderly stop if there is any.

        Raises:
            OSError: the port is taken.
            SnapshotError: the state file cannot be read.
        """
        loop = asyncio.get_running_loop()
        saved = None if self._state is None else snapshot.read(self._state)
        for one in saved.vhosts if saved else []:
            snapshot.restore(one, self._vhost(one.name), loop_now=loop.time(), unix_now=self._unix_now())
        self._server = await loop.create_server(self._protocol, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        if saved is not None and self._state is not None:
            snapshot.retire(self._state)

    async def stop(self) -> None:
        """Tells every client, gives back what they held, and writes the state file."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._connections):
            connection.shut_down()
        try:
            await asyncio.wait_for(self._until_idle(), GOODBYE_SECONDS)
        except TimeoutError:  # a client that does not read keeps its farewell in our buffer
            await self.drop_connections()
        if self._state is not None:
            loop = asyncio.get_running_loop()
            taken = snapshot.take(list(self._vhosts.values()), loop_now=loop.time(), unix_now=self._unix_now())
            snapshot.write(self._state, taken)

    async def drop_connections(self) -> None:
        """Cuts every client off without a word, as a network failure would; returns when all they held is requeued."""
        for connection in list(self._connections):
            connection.abort()
        await asyncio.wait_for(self._until_idle(), DROP_SECONDS)

    async def _until_idle(self) -> None:
        while self._connections:
            self._idle.clear()
            await self._idle.wait()

    def _on_lost(self) -> None:
        self._idle.set()

    def _protocol(self) -> BrokerProtocol:
        loop = asyncio.get_running_loop()
        return BrokerProtocol(
            handshake=Handshake(self._vhost), gauge=self._gauge, loop=loop, connections=self._connections, on_lost=self._on_lost
        )

    def _vhost(self, name: str) -> VirtualHost:
        if name not in self._vhosts:
            self._vhosts[name] = VirtualHost(
                name, gauge=self._gauge, timers=asyncio.get_running_loop(), unix_now=lambda: int(self._unix_now())
            )
        return self._vhosts[name]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

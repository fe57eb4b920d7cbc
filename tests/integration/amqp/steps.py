import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

DEADLINE_SECONDS = 30.0
LIFE_MS = 120_000


async def eventually(holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def declare(channel: AbstractChannel, name: str, **arguments: str | int) -> AbstractQueue:
    """A durable queue that the broker removes by itself should the test die; `message_ttl=5` becomes x-message-ttl."""
    named = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    return await channel.declare_queue(name, durable=True, arguments={"x-expires": LIFE_MS, **named})


async def publish(channel: AbstractChannel, queue: str, *bodies: str) -> None:
    for body in bodies:
        message = aio_pika.Message(body.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue)


def deaths(message: AbstractIncomingMessage) -> list[dict[str, Any]]:
    """The x-death header, newest first."""
    found = message.headers["x-death"]
    assert isinstance(found, list)
    return [dict(death) for death in found if isinstance(death, dict)]


class Inbox:
    """Deliveries of one consumer, unsettled, in order of arrival."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self.tag = ""

    async def next(self) -> AbstractIncomingMessage:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.messages.get()

    async def take(self, count: int) -> list[AbstractIncomingMessage]:
        return [await self.next() for _ in range(count)]

    async def bodies(self, count: int) -> list[str]:
        return [message.body.decode() for message in await self.take(count)]


async def consume(queue: AbstractQueue, *, tag: str | None = None, no_ack: bool = False, exclusive: bool = False) -> Inbox:
    inbox = Inbox()
    inbox.tag = await queue.consume(inbox.messages.put, consumer_tag=tag, no_ack=no_ack, exclusive=exclusive)
    return inbox


async def drain(queue: AbstractQueue) -> list[str]:
    """Bodies of what is ready now, acknowledged."""
    bodies = []
    while (message := await queue.get(fail=False)) is not None:
        bodies.append(message.body.decode())
        await message.ack()
    return bodies


async def fetch(queue: AbstractQueue) -> AbstractIncomingMessage:
    """The next message, as soon as there is one."""
    found: list[AbstractIncomingMessage] = []

    async def has_come() -> bool:
        message = await queue.get(fail=False)
        if message is not None:
            found.append(message)
        return message is not None

    await eventually(has_come)
    return found[0]


class Proxy:
    """A TCP relay that can cut its clients off, so that both brokers lose connections the same way."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await eventually(lambda: not self._writers)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()

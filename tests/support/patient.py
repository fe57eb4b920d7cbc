"""A client as we ask callers to be: it asks again, under the same Idempotency-Key, when not one byte of an answer came."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from tests.support.raw import Reply

SECONDS = 30.0


@dataclass
class Seen:
    """What one client or many of them met."""

    answers: list[int] = field(default_factory=list)
    unanswered: int = 0
    """Attempts whose connection ended before the first byte of an answer."""
    torn: list[str] = field(default_factory=list)
    """Answers that began and did not come to their end."""


class _Line(asyncio.Protocol):
    """One connection: all bytes since the last request, also those before a reset."""

    def __init__(self) -> None:
        self.received = b""
        self.is_over = False
        self._news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._news.set()

    def eof_received(self) -> bool:
        self.connection_lost(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over = True
        self._news.set()

    async def reply(self) -> Reply | None:
        """Wait for a whole answer; None when the connection ends before that."""
        while True:
            reply = _whole(self.received)
            if reply is not None or self.is_over:
                return reply
            self._news.clear()
            await self._news.wait()


class Patient:
    """One client on one connection at a time, kept alive for as long as the gateway lets it."""

    def __init__(self, port: int, seen: Seen) -> None:
        """Call a port of this machine; put what happens into `seen`."""
        self._port = port
        self._seen = seen
        self._line: _Line | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a request until an answer has come; a torn answer is put down and ends the attempt like none at all."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    line = await self._connected()
                except OSError:
                    self._seen.unanswered += 1
                    continue
                line.received = b""
                line.transport.write(request)
                reply = await line.reply()
                if reply is None or reply.is_last:
                    self.leave()
                if reply is not None:
                    self._seen.answers.append(reply.status)
                    return reply
                if line.received:
                    self._seen.torn.append(repr(line.received[:100]))
                else:
                    self._seen.unanswered += 1

    def leave(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.transport.close()
            self._line = None

    async def _connected(self) -> _Line:
        if self._line is None or self._line.is_over:
            self.leave()
            loop = asyncio.get_running_loop()
            _, self._line = await loop.create_connection(_Line, "127.0.0.1", self._port)
        return self._line


def _whole(received: bytes) -> Reply | None:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if len(body) < int(headers["content-length"]):
        return None
    return Reply(int(first.split(" ")[1]), headers, body)

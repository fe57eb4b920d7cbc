"""A connection to a gateway, byte by byte: what a client library would never send, and how a connection ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether it says that no other follows on its connection."""
        return self.headers.get("connection") == "close"

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece as soon as the one before is on its way."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def reply(self) -> Reply:
        """Read one answer; fails when the connection ends before it is whole."""
        async with asyncio.timeout(SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(int(first.split(" ")[1]), headers, body)

    async def ask(self, *pieces: bytes) -> Reply:
        """Send bytes and read one answer."""
        await self.send(*pieces)
        return await self.reply()

    async def end(self) -> bytes:
        """Wait until the other side ends the connection and return what came before; a reset raises ConnectionResetError."""
        async with asyncio.timeout(SECONDS):
            return await self._reader.read()


@contextlib.asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """Open a connection for the length of a block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def request(method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    """Spell a request to a path under /api/v1; names of headers are written with underscores."""
    lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: gateway"]
    if body is not None:
        headers = {"Content_Type": "application/json", "Content_Length": str(len(body))} | headers
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")

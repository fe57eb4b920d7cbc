"""A client of the event stream that reads frame by frame, as the standard says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

SSE = {"Accept": "text/event-stream"}


@dataclass(frozen=True)
class Frame:
    """One dispatched event."""

    id: str
    event: str
    data: Any


@dataclass
class Reader:
    """An open stream."""

    response: httpx.Response
    frames: AsyncIterator[Frame] = field(init=False)
    retry_ms: int = 0
    last_id: str = ""

    def __post_init__(self) -> None:
        self.frames = self._read()

    async def _read(self) -> AsyncIterator[Frame]:
        event, data = "message", list[str]()
        async for line in self.response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry_ms = int(value)
            elif not line:
                if data:
                    yield Frame(self.last_id, event, json.loads("\n".join(data)))
                event, data = "message", []

    async def next(self, *, seconds: float = 30) -> Frame:
        """The next frame, pings included."""
        async with asyncio.timeout(seconds):
            return await anext(self.frames)

    async def take(self, amount: int, *, seconds: float = 60) -> list[Frame]:
        """So many frames that are no pings."""
        found: list[Frame] = []
        async with asyncio.timeout(seconds):
            while len(found) < amount:
                frame = await anext(self.frames)
                if frame.event != "ping":
                    found.append(frame)
        return found

    async def rest(self, *, seconds: float = 30) -> list[Frame]:
        """What comes until the stream ends, without pings."""
        async with asyncio.timeout(seconds):
            return [frame async for frame in self.frames if frame.event != "ping"]


@contextlib.asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, headers: dict[str, str] | None = None, **params: str | int
) -> AsyncIterator[Reader]:
    """Open a stream for the length of a block; it is open once its first ping has come."""
    async with client.stream("GET", "/events", params=params, headers=SSE | (headers or {})) as response:
        if response.status_code != 200:
            await response.aread()
        assert response.status_code == 200, response.text
        reader = Reader(response)
        first = await reader.next()
        assert first.event == "ping"
        yield reader


def positions(frames: list[Frame]) -> list[int]:
    """The positions of frames."""
    return [int(frame.id) for frame in frames]

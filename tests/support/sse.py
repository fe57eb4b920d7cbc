"""Server-sent events, read as plainly as can be."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Events:
    """What one connection sends. `opened` is whether it greeted, `closed` whether it took its leave."""

    lines: AsyncIterator[str]
    opened: bool = False
    closed: bool = False
    ids: list[str] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the data of each event that is neither greeting nor leave."""
        event: dict[str, str] = {}
        async for line in self.lines:
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
                continue
            kind = event.get("event")
            self.opened |= kind == "open"
            self.closed |= kind == "close"
            if kind is None:
                self.ids.append(event.get("id", ""))
                yield json.loads(event["data"])
            event = {}

    async def take(self, count: int) -> list[Any]:
        """Return the next so many."""
        taken: list[Any] = []
        if count:
            async for data in self:
                taken.append(data)
                if len(taken) == count:
                    break
        return taken


@asynccontextmanager
async def events(
    http: httpx.AsyncClient, path: str, *, last_event_id: str | None = None, **query: object
) -> AsyncIterator[Events]:
    """Connect to a stream."""
    headers = {"Accept": "text/event-stream"} | ({} if last_event_id is None else {"Last-Event-ID": last_event_id})
    given = {name: str(value) for name, value in query.items()}
    async with http.stream("GET", path, params=given, headers=headers) as response:
        assert response.status_code == 200, (await response.aread()).decode()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Events(response.aiter_lines())

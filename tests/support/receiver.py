"""A subscriber's server: keeps what it was sent, and answers as a test tells it to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def accept(_: web.Request) -> web.StreamResponse:
    return web.Response(status=200, text="thanks")


def saying(status: int, **headers: str) -> Answering:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


@dataclass(slots=True)
class Receiver:
    """Listens on a free port of loopback; `answer` may be changed while it runs."""

    url: str = ""
    answer: Answering = accept
    received: list[Received] = field(default_factory=list)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets go the requests that `hang` keeps."""

    async def hang(self, _: web.Request) -> web.StreamResponse:
        await self.may_go.wait()
        return web.Response(status=200)

    def event_ids(self) -> list[str]:
        return [item.event_id for item in self.received]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path, headers, await request.read()))
        return await self.answer(request)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver for the length of a block."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver._take)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        receiver.may_go.set()
        await runner.cleanup()

"""A webhook receiver for demos and tests: listens on loopback and keeps what it was sent."""

import asyncio
import json
from typing import Self

from aiohttp import web

Delivery = tuple[dict[str, str], bytes]
"""The headers, by lower-case name, and the raw body."""


class Receiver:
    """Answers 200 to every POST; `status` can be set to make it fail."""

    def __init__(self) -> None:
        """Prepare; listening starts with the block."""
        self.deliveries: list[Delivery] = []
        self.status = 200
        self.url = ""
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on any free port of the loopback."""
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, event_type: str, *, seconds: float) -> Delivery:
        """Return the first delivery of a type.

        Raises:
            TimeoutError: none came in time.
        """
        async with asyncio.timeout(seconds), self._arrived:
            while True:
                for delivery in self.deliveries:
                    if json.loads(delivery[1])["type"] == event_type:
                        return delivery
                await self._arrived.wait()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._arrived:
            if self.status == 200:  # noqa: PLR2004
                self.deliveries.append(({name.lower(): value for name, value in request.headers.items()}, body))
            self._arrived.notify_all()
        return web.Response(status=self.status)

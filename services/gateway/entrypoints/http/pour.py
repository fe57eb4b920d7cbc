"""Sending a body that goes on and on, to a client that may read slowly, or leave."""

import asyncio
import contextlib
import math
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from services.gateway.domain.answers import Flow


class _Patience:
    """Runs out when a piece is not taken in time. One timer looks after many pieces: most of them are taken at once."""

    def __init__(self, seconds: float, run_out: Callable[[], None]) -> None:
        self._seconds = seconds
        self._run_out = run_out
        self._loop = asyncio.get_running_loop()
        self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Give it this long from now."""
        self._until = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._look)

    def pause(self) -> None:
        """Wait for nobody."""
        self._until = math.inf

    def end(self) -> None:
        """Wait for nobody ever again."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() >= self._until:
            self._run_out()
        elif self._until < math.inf:
            self._timer = self._loop.call_at(self._until, self._look)


async def pour(scope: Scope, receive: Receive, send: Send, start: dict[str, Any], flow: Flow) -> None:
    """Send a response whose body is this flow; a client that takes no piece within the flow's patience is cut off.

    The server waits with `send` while the connection's buffer is full, so a slow client costs that buffer and one piece.
    """
    now = asyncio.get_running_loop().time
    leaving = asyncio.create_task(_until_gone(receive, flow))
    limit = asyncio.timeout(None)
    flow.cut = lambda: limit.reschedule(now())
    patience = _Patience(flow.patience, flow.cut)
    try:
        async with limit, contextlib.aclosing(flow.pieces()) as pieces:
            await send(start)
            async for piece in pieces:
                patience.begin()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                patience.pause()
            patience.begin()
            await send({"type": "http.response.body", "body": b""})
    except (TimeoutError, asyncio.CancelledError):  # nobody reads, or the server has waited for it as long as it could
        flow.end("slow")
        scope["offerhub.abort"]()
    finally:
        patience.end()
        leaving.cancel()
        await flow.close()


async def _until_gone(receive: Receive, flow: Flow) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    flow.end("gone")

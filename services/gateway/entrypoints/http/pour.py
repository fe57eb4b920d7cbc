"""Sending a body that goes on and on, to a client that may read slowly, or leave."""

import asyncio
import contextlib
from typing import Any

from starlette.types import Receive, Scope, Send

from services.gateway.domain.answers import Flow


async def pour(scope: Scope, receive: Receive, send: Send, start: dict[str, Any], flow: Flow) -> None:
    """Send a response whose body is this flow; a client that takes no piece within the flow's patience is cut off.

    The server waits with `send` while the connection's buffer is full, so a slow client costs that buffer and one piece.
    """
    now = asyncio.get_running_loop().time
    leaving = asyncio.create_task(_until_gone(receive, flow))
    limit = asyncio.timeout(None)
    flow.cut = lambda: limit.reschedule(now())
    try:
        async with limit, contextlib.aclosing(flow.pieces()) as pieces:
            await send(start)
            async for piece in pieces:
                limit.reschedule(now() + flow.patience)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                limit.reschedule(None)
            limit.reschedule(now() + flow.patience)
            await send({"type": "http.response.body", "body": b""})
    except (TimeoutError, asyncio.CancelledError):  # nobody reads, or the server has waited for it as long as it could
        flow.end("slow")
        scope["offerhub.abort"]()
    finally:
        leaving.cancel()
        await flow.close()


async def _until_gone(receive: Receive, flow: Flow) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    flow.end("gone")

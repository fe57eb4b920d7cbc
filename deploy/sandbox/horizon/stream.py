"""Server-sent events: a page that goes on, record by record, as ledgers close."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from aiohttp import web

from deploy.sandbox.horizon.faults.rules import Fault, Live, distort
from deploy.sandbox.horizon.node import View
from deploy.sandbox.horizon.pages import PageQuery
from deploy.sandbox.horizon.resources.transactions import Body
from deploy.sandbox.horizon.serving import NODE, fired, view_of

LIFETIME_SECONDS: Final = 55.0
"""Horizon ends a stream after this long, whatever it has sent; clients come back with their last event's id."""

Produce = Callable[[web.Request, View, PageQuery], Sequence[Body]]
_HELLO: Final = b'retry: 1000\nevent: open\ndata: "hello"\n\n'
_GOODBYE: Final = b'retry: 10\nevent: close\ndata: "byebye"\n\n'


async def stream_records(request: web.Request, query: PageQuery, produce: Produce) -> web.StreamResponse:
    """Send what is there, then what comes, until the page's limit is reached."""

    async def batches() -> AsyncIterator[Sequence[Body]]:
        nonlocal query
        while True:
            latest = request.app[NODE].latest
            records = produce(request, view_of(request), query)
            if records:
                query = PageQuery(str(records[-1]["paging_token"]), query.limit, query.is_ascending)
            yield records
            if len(records) < query.limit:
                await request.app[NODE].news(latest)

    produce(request, view_of(request), query)
    return await _stream(request, batches(), query.limit)


async def stream_object(request: web.Request, look: Callable[[web.Request, View], Body], limit: int) -> web.StreamResponse:
    """Send one thing whenever it is different from before."""

    async def batches() -> AsyncIterator[Sequence[Body]]:
        before: Body | None = None
        while True:
            latest = request.app[NODE].latest
            now = look(request, view_of(request))
            yield [] if now == before else [now]
            before = now
            await request.app[NODE].news(latest)

    look(request, view_of(request))
    return await _stream(request, batches(), limit)


async def _stream(request: web.Request, batches: AsyncIterator[Sequence[Body]], limit: int) -> web.StreamResponse:
    """Write events until the limit or the stream's lifetime is reached; a caller that went away ends it too."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"})
    await response.prepare(request)
    lives = fired(request)
    sent = 0
    with suppress(ConnectionError, TimeoutError):
        await response.write(_HELLO)
        async with asyncio.timeout(LIFETIME_SECONDS):
            await _stall(lives)
            async for batch in batches:
                for record in distort(batch, lives)[: limit - sent]:
                    if _is_cut(request, lives, sent):
                        return response
                    await response.write(_event(record, lives))
                    sent += 1
                if sent >= limit:
                    break
    with suppress(ConnectionError):
        await response.write(_GOODBYE)
    return response


def _event(record: Body, lives: Sequence[Live]) -> bytes:
    has_no_id = any(live.rule.fault is Fault.NO_IDS for live in lives)
    name = b"" if has_no_id else f"id: {record['paging_token']}\n".encode()
    return name + b"data: " + msgspec.json.encode(record) + b"\n\n"


async def _stall(lives: Sequence[Live]) -> None:
    """Say nothing for as long as a rule wants."""
    for live in lives:
        if live.rule.fault is Fault.STALL:
            await asyncio.sleep(live.rule.seconds or LIFETIME_SECONDS)


def _is_cut(request: web.Request, lives: Sequence[Live], sent: int) -> bool:
    """Cut the connection once a rule's number of events is out."""
    if any(live.rule.fault is Fault.CUT and live.rule.after and sent >= live.rule.after for live in lives):
        if request.transport is not None:
            request.transport.abort()
        return True
    return False

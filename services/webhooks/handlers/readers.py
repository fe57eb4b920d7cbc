"""What the webhooks service answers when it is asked: one reader per kind of question."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.event_filters import asks_for
from libs.common.contracts.queries.webhooks import (
    FindPosition,
    GetAddress,
    GetEndpoint,
    GetEvent,
    ListDeliveries,
    ListEndpoints,
    ListEvents,
    ReadLog,
)
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Address, LoggedEvent
from libs.common.kernel.clock import read_instant
from libs.common.kernel.errors import Refusal, invalid
from libs.common.messaging.lists import LIMIT_MAX, page_of, read_bounds
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.bodies import read_body
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.handlers.views import delivery_view, endpoint_view, no_endpoint, no_event
from services.webhooks.store import reads


@dataclass(frozen=True, slots=True)
class AddressReader:
    """Tells everybody the same address."""

    address: str

    async def get_address(self, _: asyncpg.Pool, asked: Sequence[Asked[GetAddress]]) -> Answers:
        """Answer with what secrets for this service are sealed with."""
        return [Address(self.address)] * len(asked)


async def get_endpoint(pool: asyncpg.Pool, asked: Sequence[Asked[GetEndpoint]]) -> Answers:
    """Answer with endpoints."""
    found = await reads.endpoints(pool, [(item.tenant, item.query.endpoint_id) for item in asked])
    rows = [(item, found.get((item.tenant, item.query.endpoint_id))) for item in asked]
    return [no_endpoint(item.query.endpoint_id) if row is None else endpoint_view(row) for item, row in rows]


async def list_endpoints(pool: asyncpg.Pool, asked: Sequence[Asked[ListEndpoints]]) -> Answers:
    """Answer with pages of endpoints."""
    return [await _endpoint_page(pool, item) for item in asked]


async def list_deliveries(pool: asyncpg.Pool, asked: Sequence[Asked[ListDeliveries]]) -> Answers:
    """Answer with pages of an endpoint's deliveries."""
    known = await reads.endpoints(pool, [(item.tenant, item.query.endpoint_id) for item in asked])
    return [
        await _delivery_page(pool, item)
        if (item.tenant, item.query.endpoint_id) in known
        else no_endpoint(item.query.endpoint_id)
        for item in asked
    ]


async def list_events(pool: asyncpg.Pool, asked: Sequence[Asked[ListEvents]]) -> Answers:
    """Answer with pages of the log."""
    return [await _event_page(pool, item) for item in asked]


async def get_event(pool: asyncpg.Pool, asked: Sequence[Asked[GetEvent]]) -> Answers:
    """Answer with single events."""
    found = await reads.events(pool, [(item.tenant, item.query.event_id) for item in asked])
    rows = [(item, found.get((item.tenant, item.query.event_id))) for item in asked]
    return [no_event(item.query.event_id) if row is None else _logged(*row) for item, row in rows]


async def read_log(pool: asyncpg.Pool, asked: Sequence[Asked[ReadLog]]) -> Answers:
    """Answer with parts of the log."""
    return await reads.log_parts(pool, [(item.tenant, item.query.after, item.query.limit) for item in asked])


async def find_position(pool: asyncpg.Pool, asked: Sequence[Asked[FindPosition]]) -> Answers:
    """Answer with places in the log."""
    return await reads.places(pool, [(item.tenant, read_instant(item.query.since)) for item in asked])


async def _endpoint_page(pool: asyncpg.Pool, item: Asked[ListEndpoints]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query)
    if isinstance(bounds, Refusal):
        return bounds
    rows = await reads.endpoint_page(pool, item.tenant, bounds)
    return page_of(((row.id, endpoint_view(row)) for row in rows), limit=bounds.limit)


async def _delivery_page(pool: asyncpg.Pool, item: Asked[ListDeliveries]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query, state=DeliveryState)
    if isinstance(bounds, Refusal):
        return bounds
    rows = await reads.delivery_page(pool, item.tenant, item.query, bounds)
    return page_of(((row["id"], delivery_view(row)) for row in rows), limit=bounds.limit)


async def _event_page(pool: asyncpg.Pool, item: Asked[ListEvents]) -> Page[msgspec.Raw] | Refusal:
    if not 1 <= item.query.limit <= LIMIT_MAX:
        return invalid("limit", f"limit is 1 to {LIMIT_MAX}")
    query = item.query
    oldest = await reads.floor(pool, item.tenant) + 1
    if 0 < query.after < oldest - 1:
        why = f"what came after {query.after} is not kept any more: the oldest event is at {oldest}; leave it out to begin there"
        return invalid("after", why)
    scanned: int | None = None
    if query.events is None:
        rows = await reads.event_page(pool, item.tenant, limit=query.limit + 1, after=query.after)
    else:
        types = [name for name in EVENTS if asks_for(query.events, name)]
        rows, scanned = await reads.filtered_page(pool, item.tenant, types, limit=query.limit + 1, after=query.after)
    page = page_of(((str(position), _logged(position, body)) for position, body in rows), limit=query.limit)
    if page.has_more or scanned is None:
        return page
    return Page(page.data, has_more=True, next_cursor=str(scanned))


def _logged(position: int, stored: bytes) -> LoggedEvent:
    body = read_body(stored)
    return LoggedEvent(body.id, body.type, position, body.sequence, body.created_at, body.data)

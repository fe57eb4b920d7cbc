"""What the webhooks service answers when it is asked: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg

from libs.common.contracts.queries.webhooks import GetEndpoint, ListDeliveries, ListEndpoints, ListEvents
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Delivery, Endpoint, LoggedEvent
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.bodies import read_body
from services.webhooks.handlers.views import endpoint_view, no_endpoint
from services.webhooks.store import reads


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


async def _endpoint_page(pool: asyncpg.Pool, item: Asked[ListEndpoints]) -> Page[Endpoint]:
    query = item.query
    rows = await reads.endpoint_page(pool, item.tenant, limit=query.limit + 1, cursor=query.cursor)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return Page(tuple(map(endpoint_view, shown)), has_more=more, next_cursor=shown[-1].id if more else None)


async def _delivery_page(pool: asyncpg.Pool, item: Asked[ListDeliveries]) -> Page[Delivery] | Refusal:
    query = item.query
    rows = await reads.delivery_page(
        pool, item.tenant, query.endpoint_id, limit=query.limit + 1, cursor=query.cursor, state=query.state
    )
    shown = tuple(
        Delivery(
            id=row["id"],
            endpoint_id=row["endpoint_id"],
            event_id=row["event_id"],
            event_type=row["event_type"],
            state=row["state"],
            attempts=row["attempts"],
            last_status=row["last_status"],
            last_error=row["last_error"],
            next_attempt_at=None if row["next_attempt_at"] is None else wire_time(row["next_attempt_at"]),
            created_at=wire_time(row["created_at"]),
        )
        for row in rows[: query.limit]
    )
    more = len(rows) > query.limit
    return Page(shown, has_more=more, next_cursor=shown[-1].id if more else None)


async def _event_page(pool: asyncpg.Pool, item: Asked[ListEvents]) -> Page[LoggedEvent]:
    query = item.query
    rows = await reads.event_page(pool, item.tenant, limit=query.limit + 1, after=query.after)
    shown = tuple(_logged(position, body) for position, body in rows[: query.limit])
    more = len(rows) > query.limit
    return Page(shown, has_more=more, next_cursor=str(shown[-1].position) if more else None)


def _logged(position: int, stored: bytes) -> LoggedEvent:
    body = read_body(stored)
    return LoggedEvent(body.id, body.type, position, body.sequence, body.created_at, body.data)

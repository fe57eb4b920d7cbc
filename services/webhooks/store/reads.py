"""What the webhooks service is asked."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from services.webhooks.store.rows import ENDPOINTS, EndpointRow

_ENDPOINTS: Final = f"""
SELECT {", ".join(f"t.{name}" for name in ENDPOINTS.columns)} FROM endpoints t
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON t.tenant = k.tenant AND t.id = k.id
"""  # noqa: S608 - column names from code

# A page is read one row too long, which tells whether there is more. Ids sort by time, so the cursor is an id.
_ENDPOINT_PAGE: Final = f"""
SELECT {ENDPOINTS.select_list} FROM endpoints
 WHERE tenant = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608 - column names from code

_DELIVERY_PAGE: Final = """
SELECT d.id, d.endpoint_id, v.id AS event_id, v.type AS event_type, d.state, d.attempts, d.last_status, d.last_error,
       CASE WHEN d.state = 'PENDING' THEN d.next_attempt_at END AS next_attempt_at, d.created_at
  FROM deliveries d JOIN event_log v ON v.tenant = d.tenant AND v.position = d.position
 WHERE d.tenant = $1 AND d.endpoint_id = $2 AND ($3::text IS NULL OR d.id < $3) AND ($4::text IS NULL OR d.state = $4)
 ORDER BY d.id DESC LIMIT $5
"""

_EVENT_PAGE: Final = "SELECT position, body FROM event_log WHERE tenant = $1 AND position > $2 ORDER BY position LIMIT $3"

Key = tuple[str, str]


async def endpoints(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, EndpointRow]:
    """Return the endpoints that exist, by (tenant, id)."""
    records = await pool.fetch(_ENDPOINTS, [key[0] for key in keys], [key[1] for key in keys])
    rows = [ENDPOINTS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def endpoint_page(pool: asyncpg.Pool, tenant: str, *, limit: int, cursor: str | None) -> list[EndpointRow]:
    """Return up to `limit` endpoints, newest first, older than the cursor."""
    return [ENDPOINTS.from_record(record) for record in await pool.fetch(_ENDPOINT_PAGE, tenant, cursor, limit)]


async def delivery_page(
    pool: asyncpg.Pool, tenant: str, endpoint_id: str, *, limit: int, cursor: str | None, state: str | None
) -> list[Any]:
    """Return up to `limit` deliveries of an endpoint, newest first, older than the cursor."""
    return list(await pool.fetch(_DELIVERY_PAGE, tenant, endpoint_id, cursor, state, limit))


async def event_page(pool: asyncpg.Pool, tenant: str, *, limit: int, after: int) -> list[tuple[int, bytes]]:
    """Return up to `limit` (position, body) of the log after a position, oldest first."""
    return [(record[0], record[1]) for record in await pool.fetch(_EVENT_PAGE, tenant, after, limit)]

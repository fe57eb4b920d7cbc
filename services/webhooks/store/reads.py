"""What the webhooks service is asked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.contracts.queries.webhooks import ListDeliveries
from libs.common.contracts.replies.webhooks import LogPart, LogPlace, StreamedEvent
from libs.common.persistence.pages import Bounds, Listing, given
from services.webhooks.store.endpoint_rows import ENDPOINTS, EndpointRow
from services.webhooks.store.log_rows import EVENT_LOG_NAME

_ENDPOINTS: Final = f"""
SELECT {", ".join(f"t.{name}" for name in ENDPOINTS.columns)} FROM endpoints t
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON t.tenant = k.tenant AND t.id = k.id
"""  # noqa: S608 - column names from code

_ENDPOINT_LIST: Final = Listing("endpoints", ENDPOINTS.select_list, order=("id",))
_DELIVERY_LIST: Final = Listing(
    "deliveries",
    "tenant, id, endpoint_id, position, state, attempts, last_status, last_error, next_attempt_at, created_at, replay_id,"
    " logged_at",
    order=("id",),
    around="""
SELECT d.id, d.endpoint_id, v.id AS event_id, v.type AS event_type, d.state, d.attempts, d.last_status, d.last_error,
       CASE WHEN d.state = 'PENDING' THEN d.next_attempt_at END AS next_attempt_at, d.created_at, d.replay_id
  FROM ({}) d JOIN event_log v ON v.tenant = d.tenant AND v.position = d.position AND v.logged_at = d.logged_at
 ORDER BY d.id DESC
""",
)
# What is older than what is kept is left out, though some of it is there for the deliveries that are not finished.
_KEPT: Final = "greatest($2::bigint, coalesce((SELECT f.position FROM log_floors f WHERE f.tenant = $1 AND f.log = 'events'), 0))"
_FLOOR: Final = "SELECT position FROM log_floors WHERE tenant = $1 AND log = $2"
_EVENT_PAGE: Final = f"SELECT position, body FROM event_log WHERE tenant = $1 AND position > {_KEPT} ORDER BY position LIMIT $3"  # noqa: S608 - our own text

SCANNED_MAX: Final = 2_000
"""So many events a filtered page looks at; what it asks for may be rare."""
_FILTERED_PAGE: Final = f"""
SELECT w.position, w.body
  FROM (SELECT position, type, body FROM event_log
         WHERE tenant = $1 AND position > {_KEPT} ORDER BY position LIMIT {SCANNED_MAX}) w
 WHERE w.type = ANY($4::text[]) ORDER BY w.position LIMIT $3
"""  # noqa: S608 - a number from code
_SCANNED: Final = (
    f"SELECT position FROM event_log WHERE tenant = $1 AND position > {_KEPT} ORDER BY position OFFSET {SCANNED_MAX - 1} LIMIT 1"  # noqa: S608 - as above
)
_EVENTS: Final = """
SELECT v.tenant, v.id, v.position, v.body FROM unnest($1::text[], $2::text[]) AS k(tenant, id)
  JOIN event_log v ON v.tenant = k.tenant AND v.id = k.id
"""

_LOG_PARTS: Final = """
SELECT k.number, v.position, v.type, v.user_ids, v.body
  FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS k(tenant, after, amount, number)
 CROSS JOIN LATERAL (SELECT * FROM event_log v WHERE v.tenant = k.tenant AND v.position > greatest(k.after, coalesce(
                        (SELECT f.position FROM log_floors f WHERE f.tenant = k.tenant AND f.log = 'events'), 0))
                      ORDER BY v.position LIMIT k.amount) v
 ORDER BY k.number, v.position
"""

# Positions have no gaps and the times of logging rise with them, so that halving finds an instant without an index.
_PLACES: Final = """
WITH RECURSIVE asked AS (
    SELECT k.tenant, k.since, k.number, coalesce(h.position, 0) AS head, coalesce(f.position, 0) AS floor
      FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS k(tenant, since, number)
      LEFT JOIN log_heads h ON h.tenant = k.tenant AND h.log = $3
      LEFT JOIN log_floors f ON f.tenant = k.tenant AND f.log = $3
), ends AS (
    SELECT a.*, coalesce((SELECT v.position FROM event_log v WHERE v.tenant = a.tenant AND v.position > a.floor
                           ORDER BY v.position LIMIT 1), a.head + 1) AS oldest
      FROM asked a
), halving AS (
    SELECT number, tenant, since, oldest AS low, head + 1 AS high FROM ends WHERE since IS NOT NULL
     UNION ALL
    SELECT h.number, h.tenant, h.since,
           CASE WHEN v.logged_at < h.since THEN v.position + 1 ELSE h.low END,
           CASE WHEN v.logged_at < h.since THEN h.high ELSE v.position END
      FROM halving h JOIN event_log v ON v.tenant = h.tenant AND v.position = (h.low + h.high) / 2
     WHERE h.low < h.high
)
SELECT e.oldest, e.head, coalesce((SELECT max(h.low) - 1 FROM halving h WHERE h.number = e.number), e.head) AS after
  FROM ends e ORDER BY e.number
"""

Key = tuple[str, str]
_user_ids: Final = msgspec.json.Decoder(tuple[str, ...])


async def endpoints(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, EndpointRow]:
    """Return the endpoints that exist, by (tenant, id)."""
    records = await pool.fetch(_ENDPOINTS, [key[0] for key in keys], [key[1] for key in keys])
    rows = [ENDPOINTS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def endpoint_page(pool: asyncpg.Pool, tenant: str, bounds: Bounds) -> list[EndpointRow]:
    """Return a page of endpoints and one more, newest first."""
    records = await _ENDPOINT_LIST.read(pool, tenant, [{}], bounds)
    return [ENDPOINTS.from_record(record) for record in records or ()]


async def delivery_page(pool: asyncpg.Pool, tenant: str, query: ListDeliveries, bounds: Bounds) -> list[Any]:
    """Return a page of an endpoint's deliveries and one more, newest first."""
    return await _DELIVERY_LIST.read(pool, tenant, [given(endpoint_id=query.endpoint_id, state=query.state)], bounds) or []


async def floor(pool: asyncpg.Pool, tenant: str) -> int:
    """Return the last position that is not kept any more, 0 while all are."""
    return next((record[0] for record in await pool.fetch(_FLOOR, tenant, EVENT_LOG_NAME)), 0)


async def event_page(pool: asyncpg.Pool, tenant: str, *, limit: int, after: int) -> list[tuple[int, bytes]]:
    """Return up to `limit` (position, body) of the log after a position, oldest first."""
    return [(record[0], record[1]) for record in await pool.fetch(_EVENT_PAGE, tenant, after, limit)]


async def filtered_page(
    pool: asyncpg.Pool, tenant: str, types: Sequence[str], *, limit: int, after: int
) -> tuple[list[tuple[int, bytes]], int | None]:
    """Return up to `limit` (position, body) of some types, and where to go on when the log goes on after what was looked at."""
    records = await pool.fetch(_FILTERED_PAGE, tenant, after, limit, types)
    ends = await pool.fetch(_SCANNED, tenant, after)
    return [(record[0], record[1]) for record in records], ends[0][0] if ends else None


async def events(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, tuple[int, bytes]]:
    """Return (position, body) of the events that exist, by (tenant, id)."""
    records = await pool.fetch(_EVENTS, [key[0] for key in keys], [key[1] for key in keys])
    return {(record[0], record[1]): (record[2], record[3]) for record in records}


async def log_parts(pool: asyncpg.Pool, asked: Sequence[tuple[str, int, int]]) -> list[LogPart]:
    """Return for each (tenant, position, amount) up to so many events after the position, oldest first."""
    parts: list[list[StreamedEvent]] = [[] for _ in asked]
    tenants, positions, amounts = zip(*asked, strict=True)
    for record in await pool.fetch(_LOG_PARTS, tenants, positions, amounts):
        event = StreamedEvent(record[1], record[2], _user_ids.decode(record[3]), msgspec.Raw(record[4]))
        parts[record[0] - 1].append(event)
    return [LogPart(tuple(part)) for part in parts]


async def places(pool: asyncpg.Pool, asked: Sequence[tuple[str, datetime | None]]) -> list[LogPlace]:
    """Return where each tenant's log begins and ends, and where all that was logged since an instant begins."""
    tenants, instants = zip(*asked, strict=True)
    return [LogPlace(*record) for record in await pool.fetch(_PLACES, tenants, instants, EVENT_LOG_NAME)]

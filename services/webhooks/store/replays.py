"""Replays at work: a step is one transaction that holds its job's row, so that nobody else makes it too."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.pages import Bounds, Listing, given
from libs.common.persistence.rows import Connection
from services.webhooks.domain.replays import Passed
from services.webhooks.store.delivery_rows import REPLAYS, ReplayRow

_DUE: Final = f"""
SELECT {", ".join(f"r.{name}" for name in REPLAYS.columns)}, e.active
  FROM replays r JOIN endpoints e ON e.tenant = r.tenant AND e.id = r.endpoint_id
 WHERE r.next_step_at <= $1 ORDER BY r.next_step_at LIMIT 1 FOR NO KEY UPDATE OF r SKIP LOCKED
"""  # noqa: S608 - column names from code
_NEXT: Final = "SELECT min(next_step_at) FROM replays WHERE next_step_at IS NOT NULL"

# What waits of the replay itself, and whether anything that happened as such has been due for a second and nobody took it.
_WAITING: Final = """
SELECT (SELECT count(*) FROM deliveries WHERE tenant = $1 AND replay_id = $3 AND replay_id <> '' AND state = 'PENDING'),
       EXISTS (SELECT FROM deliveries d
                WHERE d.tenant = $1 AND d.endpoint_id = $2 AND d.state = 'PENDING' AND d.replay_id = ''
                  AND d.next_attempt_at <= $4::timestamptz - interval '1 second'
                  AND (d.lease_until IS NULL OR d.lease_until <= $4))
"""
_PASSED: Final = """
SELECT position, type, aggregate, logged_at FROM event_log
 WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4
"""
_STATES: Final = """
SELECT position, array_agg(state) FROM deliveries
 WHERE tenant = $1 AND endpoint_id = $2 AND position = ANY($3::bigint[]) AND logged_at BETWEEN $4 AND $5 GROUP BY position
"""
_ENQUEUE: Final = """
INSERT INTO deliveries (tenant, endpoint_id, id, position, state, attempts, next_attempt_at, created_at, replay_id,
                        aggregate, logged_at)
SELECT $1, $2, d.id, d.position, 'PENDING', 0, d.due_at, $3, $4, v.aggregate, v.logged_at
  FROM unnest($5::text[], $6::bigint[], $7::timestamptz[]) AS d(id, position, due_at)
  JOIN event_log v ON v.tenant = $1 AND v.position = d.position
ON CONFLICT DO NOTHING
"""
_TAKE_BACK: Final = """
UPDATE deliveries SET state = 'CANCELED', lease_token = NULL, lease_until = NULL
 WHERE tenant = $1 AND endpoint_id = $2 AND replay_id = $3 AND replay_id <> '' AND state = 'PENDING'
   AND (lease_until IS NULL OR lease_until <= $4)
"""
_GET: Final = f"""
SELECT {", ".join(f"r.{name}" for name in REPLAYS.columns)} FROM replays r
  JOIN unnest($1::text[], $2::text[], $3::text[]) AS k(tenant, endpoint_id, id)
    ON r.tenant = k.tenant AND r.endpoint_id = k.endpoint_id AND r.id = k.id
"""  # noqa: S608 - column names from code
_COUNTS: Final = """
SELECT k.tenant, k.id, d.state, count(*) FROM unnest($1::text[], $2::text[]) AS k(tenant, id)
  JOIN deliveries d ON d.tenant = k.tenant AND d.replay_id = k.id AND d.replay_id <> '' GROUP BY 1, 2, 3
"""
_LIST: Final = Listing("replays", REPLAYS.select_list, order=("id",))

Key = tuple[str, str, str]


async def due(connection: Connection, now: datetime) -> tuple[ReplayRow, bool] | None:
    """Lock the job whose step has been due longest and nobody makes; return it, and whether its endpoint is active."""
    record = await connection.fetchrow(_DUE, now)
    if record is None:
        return None
    *columns, is_active = record
    return REPLAYS.from_record(columns), is_active


async def next_due(connection: Connection) -> datetime | None:
    """Return when the next step of any job is due."""
    instant: datetime | None = await connection.fetchval(_NEXT)
    return instant


async def waiting(connection: Connection, replay: ReplayRow, now: datetime) -> tuple[int, bool]:
    """Return how many of its deliveries are not finished, and whether something that is no replay waits for the endpoint."""
    record = await connection.fetchrow(_WAITING, replay.tenant, replay.endpoint_id, replay.id, now)
    return (0, False) if record is None else (record[0], record[1])


async def passed(connection: Connection, replay: ReplayRow, *, limit: int) -> list[Passed]:
    """Return the next events of its part of the log."""
    records = await connection.fetch(_PASSED, replay.tenant, replay.cursor, replay.to_position, limit)
    return [Passed(*record) for record in records]


async def states(connection: Connection, replay: ReplayRow, events: Sequence[Passed]) -> dict[int, list[str]]:
    """Return the states of all deliveries of these events to the endpoint; events that were never sent are left out."""
    positions, instants = [event.position for event in events], [event.logged_at for event in events]
    records = await connection.fetch(_STATES, replay.tenant, replay.endpoint_id, positions, min(instants), max(instants))
    return {record[0]: record[1] for record in records}


async def enqueue(
    connection: Connection, replay: ReplayRow, deliveries: Sequence[tuple[str, int, datetime]], *, now: datetime
) -> int:
    """Make deliveries from (id, position, due at) and return how many; those that the replay has made already stay."""
    ids, positions, instants = zip(*deliveries, strict=True)
    status: str = await connection.execute(_ENQUEUE, replay.tenant, replay.endpoint_id, now, replay.id, ids, positions, instants)
    return int(status.rsplit(" ", 1)[1])


async def take_back(connection: Connection, replay: ReplayRow, now: datetime) -> None:
    """Cancel what it has made and nobody is sending."""
    await connection.execute(_TAKE_BACK, replay.tenant, replay.endpoint_id, replay.id, now)


async def save(connection: Connection, replay: ReplayRow) -> None:
    """Write a job that is locked."""
    await REPLAYS.update(connection, [replay])


async def get(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, ReplayRow]:
    """Return the replays that exist, by (tenant, endpoint, id)."""
    rows = [REPLAYS.from_record(record) for record in await pool.fetch(_GET, *map(list, zip(*keys, strict=True)))]
    return {(row.tenant, row.endpoint_id, row.id): row for row in rows}


async def counts(pool: asyncpg.Pool, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, int]]:
    """Count the deliveries of replays by state, by (tenant, replay)."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for tenant, replay_id, state, count in await pool.fetch(_COUNTS, [key[0] for key in keys], [key[1] for key in keys]):
        found.setdefault((tenant, replay_id), {})[state] = count
    return found


async def page(pool: asyncpg.Pool, tenant: str, endpoint_id: str, bounds: Bounds) -> list[ReplayRow]:
    """Return a page of an endpoint's replays and one more, newest first."""
    records = await _LIST.read(pool, tenant, [given(endpoint_id=endpoint_id)], bounds)
    return [REPLAYS.from_record(record) for record in records or ()]

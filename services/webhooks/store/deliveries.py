"""The due table at work: deliveries are claimed in batches under a lease, and their outcomes recorded in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection
from services.webhooks.domain.attempts import Claimed, LaneKey, Outcome

# The lanes are found by skipping from one endpoint to the next in the partial index, so the cost follows the number of
# endpoints with work, not their backlog.
_LANES: Final = """
WITH RECURSIVE lanes AS (
    (SELECT tenant, endpoint_id FROM deliveries WHERE state = 'PENDING' ORDER BY tenant, endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.endpoint_id FROM lanes l CROSS JOIN LATERAL (
        SELECT d.tenant, d.endpoint_id FROM deliveries d
         WHERE d.state = 'PENDING' AND (d.tenant, d.endpoint_id) > (l.tenant, l.endpoint_id)
         ORDER BY d.tenant, d.endpoint_id LIMIT 1) n
)"""

# Lanes take turns: the oldest delivery of each first, then the second of each. A lease is looked at again under the row
# lock, because another dispatcher may have taken it since.
_CLAIM: Final = f"""{_LANES}
, due AS (
    SELECT w.tenant, w.endpoint_id, w.id, w.next_attempt_at,
           row_number() OVER (PARTITION BY w.tenant, w.endpoint_id ORDER BY w.next_attempt_at) AS turn
      FROM lanes l
      JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id AND e.active
      LEFT JOIN unnest($4::text[], $5::text[], $6::int[]) AS b(tenant, endpoint_id, busy)
        ON b.tenant = l.tenant AND b.endpoint_id = l.endpoint_id
     CROSS JOIN LATERAL (
        SELECT d.tenant, d.endpoint_id, d.id, d.next_attempt_at FROM deliveries d
         WHERE d.tenant = l.tenant AND d.endpoint_id = l.endpoint_id AND d.state = 'PENDING' AND d.next_attempt_at <= $1
           AND (d.lease_until IS NULL OR d.lease_until <= $1)
         ORDER BY d.next_attempt_at LIMIT greatest($7 - coalesce(b.busy, 0), 0)) w
), chosen AS (
    SELECT d.tenant, d.endpoint_id, d.id
      FROM deliveries d
      JOIN (SELECT * FROM due ORDER BY turn, next_attempt_at LIMIT $8) c
        ON c.tenant = d.tenant AND c.endpoint_id = d.endpoint_id AND c.id = d.id
     WHERE d.state = 'PENDING' AND d.next_attempt_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)
       FOR UPDATE OF d SKIP LOCKED
), leased AS (
    UPDATE deliveries d SET lease_token = $2, lease_until = $3
      FROM chosen c WHERE d.tenant = c.tenant AND d.endpoint_id = c.endpoint_id AND d.id = c.id
    RETURNING d.tenant, d.endpoint_id, d.id, d.position, d.attempts, d.lease_token
)
SELECT l.tenant, l.endpoint_id, l.id, l.attempts, e.url, s.sealed, v.id, v.type, v.body, l.lease_token
  FROM leased l
  JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id
  JOIN event_log v ON v.tenant = l.tenant AND v.position = l.position
  JOIN LATERAL (SELECT sealed FROM secrets s WHERE s.tenant = l.tenant AND s.endpoint_id = l.endpoint_id
                 ORDER BY s.number DESC LIMIT 1) s ON true
"""  # noqa: S608 - made of our own text

# An outcome whose lease has passed to another dispatcher is dropped here: that one's attempt is the one that counts.
_RECORD: Final = """
WITH outcomes AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::int[], $8::int[],
                         $9::text[], $10::bytea[], $11::text[], $12::timestamptz[])
        AS o(tenant, endpoint_id, id, token, number, started_at, duration_ms, status, error, response, state, next_attempt_at)
), changed AS (
    UPDATE deliveries d
       SET state = o.state, attempts = o.number, next_attempt_at = coalesce(o.next_attempt_at, d.next_attempt_at),
           last_status = o.status, last_error = o.error, lease_token = NULL, lease_until = NULL
      FROM outcomes o
     WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id
       AND d.lease_token = o.token AND d.state = 'PENDING'
    RETURNING d.tenant, d.id
), logged AS (
    INSERT INTO attempts (tenant, delivery_id, number, started_at, duration_ms, status, error, response)
    SELECT o.tenant, o.id, o.number, o.started_at, o.duration_ms, o.status, o.error, o.response
      FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
)
SELECT tenant, id FROM changed
"""

_RELEASE: Final = """
UPDATE deliveries d SET lease_token = NULL, lease_until = NULL
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS o(tenant, endpoint_id, id, token)
 WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id AND d.lease_token = o.token
"""

# Sorted by the subselect, so that two dispatchers lock endpoints in the same order.
_NOTE_EXHAUSTED: Final = """
UPDATE endpoints e SET sequence = e.sequence + n.exhausted, active = e.active AND NOT n.gone, updated_at = $5
  FROM (SELECT k.tenant, k.id, k.exhausted, k.gone
          FROM endpoints t
          JOIN unnest($1::text[], $2::text[], $3::int[], $4::bool[]) AS k(tenant, id, exhausted, gone)
            ON t.tenant = k.tenant AND t.id = k.id
         ORDER BY t.tenant, t.id FOR NO KEY UPDATE OF t) n
 WHERE e.tenant = n.tenant AND e.id = n.id
RETURNING e.tenant, e.id, e.url, e.sequence
"""

_CANCEL_ORPHANS: Final = f"""{_LANES}
, orphans AS (
    SELECT d.tenant, d.endpoint_id, d.id FROM lanes l
      JOIN deliveries d ON d.tenant = l.tenant AND d.endpoint_id = l.endpoint_id AND d.state = 'PENDING'
     WHERE NOT EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant = l.tenant AND e.id = l.endpoint_id)
     LIMIT $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET state = 'CANCELED', lease_token = NULL, lease_until = NULL
  FROM orphans o WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id
"""  # noqa: S608 - made of our own text

_BACKLOG: Final = """
SELECT (SELECT count(*) FROM deliveries WHERE state = 'PENDING'),
       (SELECT min(next_attempt_at) FROM deliveries WHERE state = 'PENDING'),
       (SELECT min(received_at) FROM event_gaps)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """An endpoint that lost deliveries for good; `is_gone` when it said that it is no more."""

    tenant: str
    endpoint_id: str
    exhausted: int
    is_gone: bool


async def claim(
    connection: Connection,
    *,
    now: datetime,
    token: str,
    lease_until: datetime,
    busy: Mapping[LaneKey, int],
    lane_max: int,
    limit: int,
) -> list[Claimed]:
    """Lease up to `limit` due deliveries, at most `lane_max` of one endpoint less what is `busy` there already."""
    lanes = list(busy.items())
    records = await connection.fetch(
        _CLAIM,
        now,
        token,
        lease_until,
        [key[0] for key, _ in lanes],
        [key[1] for key, _ in lanes],
        [count for _, count in lanes],
        lane_max,
        limit,
    )
    return [Claimed(*record) for record in records]


async def record(connection: Connection, outcomes: Sequence[Outcome]) -> set[tuple[str, str]]:
    """Log attempts and move their deliveries on; return the (tenant, id) of those that were still ours."""
    rows = [
        (
            outcome.claimed.tenant,
            outcome.claimed.endpoint_id,
            outcome.claimed.id,
            outcome.claimed.token,
            outcome.claimed.attempts + 1,
            outcome.started_at,
            outcome.duration_ms,
            outcome.status,
            outcome.error,
            outcome.response,
            outcome.state,
            outcome.next_attempt_at,
        )
        for outcome in outcomes
    ]
    records = await connection.fetch(_RECORD, *map(list, zip(*rows, strict=True)))
    return {(record[0], record[1]) for record in records}


async def release(connection: Connection, claims: Sequence[Claimed]) -> None:
    """Give leases back, so that another dispatcher need not wait until they lapse."""
    columns = [[getattr(item, name) for item in claims] for name in ("tenant", "endpoint_id", "id", "token")]
    await connection.execute(_RELEASE, *columns)


async def note_exhausted(connection: Connection, notes: Sequence[Note], *, now: datetime) -> dict[LaneKey, tuple[str, int]]:
    """Count lost deliveries on their endpoints; return each one's (URL, sequence after). A deleted endpoint is left out."""
    columns = [[getattr(note, name) for note in notes] for name in ("tenant", "endpoint_id", "exhausted", "is_gone")]
    records = await connection.fetch(_NOTE_EXHAUSTED, *columns, now)
    return {(record[0], record[1]): (record[2], record[3]) for record in records}


async def cancel_orphans(pool: asyncpg.Pool, *, limit: int) -> int:
    """Cancel deliveries whose endpoint was deleted; return how many."""
    status: str = await pool.execute(_CANCEL_ORPHANS, limit)
    return int(status.rsplit(" ", 1)[1])


async def backlog(pool: asyncpg.Pool) -> tuple[int, datetime | None, datetime | None]:
    """Return (deliveries pending, when the first of them is due, since when the oldest early event waits)."""
    record = (await pool.fetch(_BACKLOG))[0]
    return record[0], record[1], record[2]

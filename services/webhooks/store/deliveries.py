"""The due table after the claim: outcomes are recorded in batches, leases given back, and what is left over is seen to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection
from services.webhooks.domain.attempts import Claimed, LaneKey, Outcome, Recorded
from services.webhooks.domain.health import bucket_of
from services.webhooks.domain.lanes import PARK_SECONDS_MAX, Breaker
from services.webhooks.store.claims import LANES

# What ended is no longer under way at its gate: as many leases with this end and aggregate go as came back. Sorted by the
# subselect, so that two dispatchers lock gates in the same order.
_COUNT_OUT: Final = """
, counted_out AS (
    UPDATE gates g
       SET (leases, aggregates) = (
           SELECT coalesce(array_agg(l.ends ORDER BY l.number), '{}'), coalesce(array_agg(l.aggregate ORDER BY l.number), '{}')
             FROM (SELECT u.*, row_number() OVER (PARTITION BY u.ends, u.aggregate) AS place
                     FROM unnest(g.leases, g.aggregates) WITH ORDINALITY AS u(ends, aggregate, number)) l
            WHERE l.place > (SELECT count(*) FROM unnest(n.ended, n.aggregates) AS b(ends, aggregate)
                              WHERE b.ends = l.ends AND b.aggregate = l.aggregate))
      FROM (SELECT t.tenant, t.endpoint_id, k.ended, k.aggregates
              FROM gates t
              JOIN (SELECT tenant, endpoint_id, array_agg(lease_until) AS ended, array_agg(aggregate) AS aggregates
                      FROM outcomes GROUP BY 1, 2) k
                ON k.tenant = t.tenant AND k.endpoint_id = t.endpoint_id
             ORDER BY t.tenant, t.endpoint_id FOR NO KEY UPDATE OF t) n
     WHERE g.tenant = n.tenant AND g.endpoint_id = n.endpoint_id
)"""

# An outcome whose lease has passed to another dispatcher is dropped here: that one's attempt is the one that counts. What was
# sent again while the attempt was under way begins anew after it.
_RECORD: Final = f"""
WITH outcomes AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::int[], $8::int[],
                         $9::text[], $10::bytea[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                         $18::int[], $19::text[], $20::text[], $21::text[], $22::int[], $23::timestamptz[], $24::text[])
        AS o(tenant, endpoint_id, id, token, number, started_at, duration_ms, status, error, response, state, next_attempt_at,
             parked_until, connect_ms, url, signed_with, signature, bucket, lease_until, aggregate)
), changed AS (
    UPDATE deliveries d
       SET state = CASE WHEN d.again THEN 'PENDING' ELSE o.state END, attempts = o.number,
           next_attempt_at = CASE WHEN d.again THEN $14::timestamptz ELSE coalesce(o.next_attempt_at, d.next_attempt_at) END,
           base_attempts = CASE WHEN d.again THEN o.number ELSE d.base_attempts END, again = false,
           last_status = o.status, last_error = o.error, lease_token = NULL, lease_until = NULL
      FROM outcomes o
     WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id
       AND d.lease_token = o.token AND d.state = 'PENDING'
    RETURNING d.tenant, d.id
), logged AS (
    INSERT INTO attempts (tenant, delivery_id, number, started_at, duration_ms, status, error, response,
                          connect_ms, url, signed_with, signature)
    SELECT o.tenant, o.id, o.number, o.started_at, o.duration_ms, o.status, o.error, o.response,
           o.connect_ms, o.url, o.signed_with, o.signature
      FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
), counted AS (
    INSERT INTO traffic AS t (tenant, endpoint_id, slot, bucket, delivered, failed, answered)
    SELECT o.tenant, o.endpoint_id, date_bin('5 minutes', $14::timestamptz, 'epoch'), o.bucket,
           count(*) FILTER (WHERE o.state = 'DELIVERED'), count(*) FILTER (WHERE o.state <> 'DELIVERED'), count(o.status)
      FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
     GROUP BY 1, 2, 4 ORDER BY 1, 2, 4
    ON CONFLICT (tenant, endpoint_id, slot, bucket) DO UPDATE
       SET delivered = t.delivered + excluded.delivered, failed = t.failed + excluded.failed,
           answered = t.answered + excluded.answered
), news AS (
    SELECT o.tenant, o.endpoint_id, bool_or(o.state = 'DELIVERED') AS is_well, max(o.parked_until) AS asked,
           count(*) FILTER (WHERE o.state <> 'DELIVERED')::int AS failures
      FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
     GROUP BY 1, 2 ORDER BY 1, 2
), kept AS (
    INSERT INTO lanes AS t (tenant, endpoint_id, failures, probes, parked_until, failing_since, last_success_at)
    SELECT tenant, endpoint_id, CASE WHEN is_well THEN 0 ELSE failures END,
           (NOT is_well AND failures >= $15::int)::int,
           greatest(asked, CASE WHEN NOT is_well AND failures >= $15::int
                                THEN $14::timestamptz + make_interval(secs => $16::float8) END),
           CASE WHEN NOT is_well THEN $14::timestamptz END, CASE WHEN is_well THEN $14::timestamptz END
      FROM news
    ON CONFLICT (tenant, endpoint_id) DO UPDATE
       SET failures = CASE WHEN excluded.failures = 0 THEN 0 ELSE t.failures + excluded.failures END,
           probes = CASE WHEN excluded.failures = 0 THEN 0
                         WHEN t.failures + excluded.failures >= $15::int AND coalesce(t.parked_until <= $14::timestamptz, true)
                         THEN least(t.probes + 1, 30)
                         ELSE t.probes END,
           parked_until = greatest(excluded.parked_until, CASE
               WHEN excluded.failures = 0 THEN NULL
               WHEN t.failures + excluded.failures >= $15::int AND coalesce(t.parked_until <= $14::timestamptz, true)
               THEN $14::timestamptz + make_interval(secs => least($16::float8 * 2 ^ t.probes, $17::float8))
               ELSE t.parked_until END),
           failing_since = CASE WHEN excluded.failures = 0 THEN NULL ELSE coalesce(t.failing_since, $14::timestamptz) END,
           last_success_at = coalesce(excluded.last_success_at, t.last_success_at)
    RETURNING t.tenant, t.endpoint_id, t.failing_since
){_COUNT_OUT}
SELECT o.tenant, o.id, o.endpoint_id, k.failing_since
  FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
  JOIN kept k ON k.tenant = o.tenant AND k.endpoint_id = o.endpoint_id
"""  # noqa: S608 - made of our own text

_RELEASE: Final = f"""
WITH outcomes AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
        AS o(tenant, endpoint_id, id, token, lease_until, aggregate)
){_COUNT_OUT}
UPDATE deliveries d SET lease_token = NULL, lease_until = NULL FROM outcomes o
 WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id AND d.lease_token = o.token AND d.state = 'PENDING'
"""  # noqa: S608 - made of our own text

# Sorted by the subselect, so that two dispatchers lock endpoints in the same order.
_NOTE_LOST: Final = """
UPDATE endpoints e
   SET sequence = e.sequence + n.exhausted + (n.active AND n.ends)::int, active = e.active AND NOT n.ends, updated_at = $5
  FROM (SELECT k.tenant, k.id, k.exhausted, k.ends, t.active
          FROM endpoints t
          JOIN unnest($1::text[], $2::text[], $3::int[], $4::bool[]) AS k(tenant, id, exhausted, ends)
            ON t.tenant = k.tenant AND t.id = k.id
         ORDER BY t.tenant, t.id FOR NO KEY UPDATE OF t) n
 WHERE e.tenant = n.tenant AND e.id = n.id
RETURNING e.tenant, e.id, e.url, e.sequence, n.active AND n.ends
"""

_LOCK_ENDPOINTS: Final = """
SELECT FROM endpoints t JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON t.tenant = k.tenant AND t.id = k.id
 ORDER BY t.tenant, t.id FOR NO KEY UPDATE OF t
"""

_CANCEL_ORPHANS: Final = f"""{LANES}
, orphans AS (
    SELECT d.tenant, d.endpoint_id, d.id FROM queues l
      JOIN deliveries d ON d.tenant = l.tenant AND d.endpoint_id = l.endpoint_id AND d.state = 'PENDING'
     WHERE NOT EXISTS (SELECT 1 FROM endpoints e WHERE e.tenant = l.tenant AND e.id = l.endpoint_id)
     LIMIT $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d SET state = 'CANCELED', lease_token = NULL, lease_until = NULL
  FROM orphans o WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id AND d.state = 'PENDING'
"""  # noqa: S608 - made of our own text

_BACKLOG: Final = """
SELECT (SELECT count(*) FROM deliveries WHERE state = 'PENDING'),
       (SELECT min(next_attempt_at) FROM deliveries WHERE state = 'PENDING'),
       (SELECT min(received_at) FROM event_gaps)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """An endpoint that lost deliveries for good; with `ends` nothing more is delivered to it."""

    tenant: str
    endpoint_id: str
    exhausted: int
    ends: bool


@dataclass(frozen=True, slots=True)
class Noted:
    """An endpoint after a note of it; `was_ended` when it was active until then."""

    url: str
    sequence: int
    was_ended: bool


async def record(connection: Connection, outcomes: Sequence[Outcome], *, now: datetime, breaker: Breaker) -> Recorded:
    """Log attempts, move their deliveries on, and note on their lanes how it went."""
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
            outcome.parked_until,
        )
        for outcome in outcomes
    ]
    columns = map(list, zip(*rows, strict=True))
    limits = breaker.failures, breaker.park_seconds, PARK_SECONDS_MAX
    more = map(list, zip(*map(_evidence, outcomes), strict=True))
    records = await connection.fetch(_RECORD, *columns, now, *limits, *more)
    failing = {(record[0], record[2]): record[3] for record in records if record[3] is not None}
    return Recorded(frozenset((record[0], record[1]) for record in records), failing)


def _evidence(outcome: Outcome) -> tuple[int | None, str, str, str, int, datetime, str]:
    claimed = outcome.claimed
    numbers = " ".join(map(str, claimed.secret_numbers))
    bucket = bucket_of(outcome.duration_ms)
    return outcome.connect_ms, claimed.url, numbers, outcome.signature, bucket, claimed.lease_until, claimed.aggregate


async def lock_endpoints(connection: Connection, lanes: Iterable[LaneKey]) -> None:
    """Lock endpoints before their deliveries and lanes, as whoever changes an endpoint does."""
    tenants, ids = zip(*lanes, strict=True)
    await connection.execute(_LOCK_ENDPOINTS, tenants, ids)


async def release(connection: Connection, claims: Sequence[Claimed]) -> None:
    """Give leases back, so that another dispatcher need not wait until they lapse."""
    names = ("tenant", "endpoint_id", "id", "token", "lease_until", "aggregate")
    columns = [[getattr(item, name) for item in claims] for name in names]
    await connection.execute(_RELEASE, *columns)


async def note_lost(connection: Connection, notes: Sequence[Note], *, now: datetime) -> dict[LaneKey, Noted]:
    """Count lost deliveries on their endpoints, and end those that are at their end. A deleted endpoint is left out."""
    columns = [[getattr(note, name) for note in notes] for name in ("tenant", "endpoint_id", "exhausted", "ends")]
    records = await connection.fetch(_NOTE_LOST, *columns, now)
    return {(record[0], record[1]): Noted(*record[2:]) for record in records}


async def cancel_orphans(pool: asyncpg.Pool, *, limit: int) -> int:
    """Cancel deliveries whose endpoint was deleted; return how many."""
    status: str = await pool.execute(_CANCEL_ORPHANS, limit)
    return int(status.rsplit(" ", 1)[1])


async def analyze_due(pool: asyncpg.Pool) -> bool:
    """Have Postgres look at the due table if it never has while there was something in it; tell whether it did.

    Raises:
        LockNotAvailableError: somebody else holds the table: try again later.
    """
    was_analyzed: bool = await pool.fetchval("SELECT analyze_due()")
    return was_analyzed


async def backlog(pool: asyncpg.Pool) -> tuple[int, datetime | None, datetime | None]:
    """Return (deliveries pending, when the first of them is due, since when the oldest early event waits)."""
    record = (await pool.fetch(_BACKLOG))[0]
    return record[0], record[1], record[2]

"""The due table at work: deliveries are claimed in batches under a lease, and their outcomes recorded in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection
from services.webhooks.domain.attempts import Claimed, LaneKey, Outcome, Recorded
from services.webhooks.domain.health import bucket_of
from services.webhooks.domain.lanes import PARK_SECONDS_MAX, Breaker, Room

# The lanes are found by skipping from one endpoint to the next in the partial index, so the cost follows the number of
# endpoints with work, not their backlog.
LANES: Final = """
WITH RECURSIVE queues AS (
    (SELECT tenant, endpoint_id FROM deliveries WHERE state = 'PENDING' ORDER BY tenant, endpoint_id LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.endpoint_id FROM queues l CROSS JOIN LATERAL (
        SELECT d.tenant, d.endpoint_id FROM deliveries d
         WHERE d.state = 'PENDING' AND (d.tenant, d.endpoint_id) > (l.tenant, l.endpoint_id)
         ORDER BY d.tenant, d.endpoint_id LIMIT 1) n
)"""

# Tenants take turns, and within a tenant its lanes: the oldest delivery of each first, then the second of each; what is under
# way has had its turn. A parked lane has none; one that may be tried again has one delivery under way, its probe. Slots that
# are kept for quick lanes are given to no other. A lease is looked at again under the row lock, because another dispatcher
# may have taken it since.
_CLAIM: Final = f"""{LANES}
, stand AS (
    SELECT * FROM unnest($4::text[], $5::text[], $6::int[], $7::int[], $8::bool[])
        AS s(tenant, endpoint_id, lane_max, busy, is_quick)
), load AS (
    SELECT tenant, sum(busy) AS busy FROM stand GROUP BY tenant
), due AS (
    SELECT w.tenant, w.endpoint_id, w.id, w.next_attempt_at, coalesce(b.is_quick, false) AS is_quick,
           coalesce(b.busy, 0) + row_number() OVER (PARTITION BY w.tenant, w.endpoint_id ORDER BY w.next_attempt_at) AS turn
      FROM queues l
      JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id AND e.active
      LEFT JOIN lanes k ON k.tenant = l.tenant AND k.endpoint_id = l.endpoint_id
      LEFT JOIN stand b ON b.tenant = l.tenant AND b.endpoint_id = l.endpoint_id
     CROSS JOIN LATERAL (
        SELECT d.tenant, d.endpoint_id, d.id, d.next_attempt_at FROM deliveries d
         WHERE d.tenant = l.tenant AND d.endpoint_id = l.endpoint_id AND d.state = 'PENDING' AND d.next_attempt_at <= $1
           AND (d.lease_until IS NULL OR d.lease_until <= $1)
         ORDER BY d.next_attempt_at
         LIMIT CASE WHEN k.parked_until > $1 THEN 0
                    ELSE greatest(CASE WHEN k.failures >= $12::int THEN 1 ELSE coalesce(b.lane_max, $9::int) END
                                  - coalesce(b.busy, 0), 0)
               END) w
), fair AS (
    SELECT d.*, coalesce(o.busy, 0)
                + row_number() OVER (PARTITION BY d.tenant ORDER BY d.turn, d.next_attempt_at, d.endpoint_id) AS tenant_turn
      FROM due d LEFT JOIN load o ON o.tenant = d.tenant
), counted AS (
    SELECT f.*, count(*) FILTER (WHERE NOT f.is_quick)
                OVER (ORDER BY f.tenant_turn, f.next_attempt_at, f.tenant, f.id) AS open_slots
      FROM fair f
), chosen AS (
    SELECT d.tenant, d.endpoint_id, d.id
      FROM deliveries d
      JOIN (SELECT * FROM counted WHERE is_quick OR open_slots <= $11::bigint
             ORDER BY tenant_turn, next_attempt_at LIMIT $10::bigint) c
        ON c.tenant = d.tenant AND c.endpoint_id = d.endpoint_id AND c.id = d.id
     WHERE d.state = 'PENDING' AND d.next_attempt_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)
       FOR UPDATE OF d SKIP LOCKED
), leased AS (
    UPDATE deliveries d SET lease_token = $2, lease_until = $3
      FROM chosen c WHERE d.tenant = c.tenant AND d.endpoint_id = c.endpoint_id AND d.id = c.id
    RETURNING d.tenant, d.endpoint_id, d.id, d.position, d.attempts, d.lease_token, d.base_attempts
)
SELECT l.tenant, l.endpoint_id, l.id, l.attempts, e.url, s.sealed, v.id, v.type, v.body, l.lease_token, s.numbers,
       l.base_attempts
  FROM leased l
  JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id
  JOIN event_log v ON v.tenant = l.tenant AND v.position = l.position
  JOIN LATERAL (SELECT array_agg(s.sealed ORDER BY s.primary_at > $1, s.number DESC) AS sealed,
                       array_agg(s.number ORDER BY s.primary_at > $1, s.number DESC) AS numbers FROM secrets s
                 WHERE s.tenant = l.tenant AND s.endpoint_id = l.endpoint_id
                   AND (s.retires_at IS NULL OR s.retires_at > $1)) s ON true
"""  # noqa: S608 - made of our own text

# An outcome whose lease has passed to another dispatcher is dropped here: that one's attempt is the one that counts. What was
# sent again while the attempt was under way begins anew after it.
_RECORD: Final = """
WITH outcomes AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[], $7::int[], $8::int[],
                         $9::text[], $10::bytea[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                         $18::int[], $19::text[], $20::text[], $21::text[], $22::int[])
        AS o(tenant, endpoint_id, id, token, number, started_at, duration_ms, status, error, response, state, next_attempt_at,
             parked_until, connect_ms, url, signed_with, signature, bucket)
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
)
SELECT o.tenant, o.id, o.endpoint_id, k.failing_since
  FROM outcomes o JOIN changed c ON c.tenant = o.tenant AND c.id = o.id
  JOIN kept k ON k.tenant = o.tenant AND k.endpoint_id = o.endpoint_id
"""

_RELEASE: Final = """
UPDATE deliveries d SET lease_token = NULL, lease_until = NULL
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS o(tenant, endpoint_id, id, token)
 WHERE d.tenant = o.tenant AND d.endpoint_id = o.endpoint_id AND d.id = o.id AND d.lease_token = o.token
"""

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

_CANCEL_ORPHANS: Final = f"""{LANES}
, orphans AS (
    SELECT d.tenant, d.endpoint_id, d.id FROM queues l
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


async def claim(
    connection: Connection, *, now: datetime, token: str, lease_until: datetime, room: Room, breaker: Breaker
) -> list[Claimed]:
    """Lease due deliveries, as many as there is room for."""
    lanes = list(room.lanes.items())
    records = await connection.fetch(
        _CLAIM,
        now,
        token,
        lease_until,
        [key[0] for key, _ in lanes],
        [key[1] for key, _ in lanes],
        [lane.limit for _, lane in lanes],
        [lane.busy for _, lane in lanes],
        [lane.is_quick for _, lane in lanes],
        room.default,
        room.slots,
        room.open_slots,
        breaker.failures,
    )
    return [Claimed(*record) for record in records]


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
    evidence = map(list, zip(*map(_evidence, outcomes), strict=True))
    records = await connection.fetch(_RECORD, *columns, now, *limits, *evidence)
    failing = {(record[0], record[2]): record[3] for record in records if record[3] is not None}
    return Recorded(frozenset((record[0], record[1]) for record in records), failing)


def _evidence(outcome: Outcome) -> tuple[int | None, str, str, str, int]:
    claimed = outcome.claimed
    numbers = " ".join(map(str, claimed.secret_numbers))
    return outcome.connect_ms, claimed.url, numbers, outcome.signature, bucket_of(outcome.duration_ms)


async def release(connection: Connection, claims: Sequence[Claimed]) -> None:
    """Give leases back, so that another dispatcher need not wait until they lapse."""
    columns = [[getattr(item, name) for item in claims] for name in ("tenant", "endpoint_id", "id", "token")]
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


async def backlog(pool: asyncpg.Pool) -> tuple[int, datetime | None, datetime | None]:
    """Return (deliveries pending, when the first of them is due, since when the oldest early event waits)."""
    record = (await pool.fetch(_BACKLOG))[0]
    return record[0], record[1], record[2]

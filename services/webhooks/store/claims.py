"""The due table claimed: which deliveries go out next, in one statement that leases them."""

from datetime import datetime
from typing import Final

from libs.common.persistence.rows import Connection
from services.webhooks.domain.attempts import Claimed, Claims, Scan
from services.webhooks.domain.lanes import Breaker, Room

AGGREGATES_LOOKED_AT: Final = 256
"""Of one endpoint in one claim. Those after them have their turn in the next."""

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

# How many each lane may have. A parked lane has none; one that may be tried again has one delivery under way, its probe. What
# an endpoint limits is counted at its gate, under the gate's lock: a gate that another dispatcher holds has its turn later.
# The rate is a bucket that holds what may go out in one second.
_ROOM: Final = """
, stand AS (
    SELECT * FROM unnest($4::text[], $5::text[], $6::int[], $7::int[], $8::bool[], $9::bool[], $10::text[])
        AS s(tenant, endpoint_id, lane_max, busy, is_quick, is_known, place)
), wanted AS (
    SELECT e.tenant, e.id AS endpoint_id, e.order_mode, e.max_in_flight, e.max_per_second, coalesce(b.busy, 0) AS busy,
           coalesce(b.is_quick, false) AS is_quick, coalesce(b.place, '') AS place,
           NOT coalesce(b.is_known, false) AND coalesce(k.failures, 0) = 0 AS is_new,
           CASE WHEN k.failures >= $15::int THEN 1 ELSE coalesce(b.lane_max, $11::int) END - coalesce(b.busy, 0) AS free,
           EXISTS (SELECT FROM gates g WHERE g.tenant = e.tenant AND g.endpoint_id = e.id) AS is_gated
      FROM queues q
      JOIN endpoints e ON e.tenant = q.tenant AND e.id = q.endpoint_id AND e.active
      LEFT JOIN lanes k ON k.tenant = q.tenant AND k.endpoint_id = q.endpoint_id
      LEFT JOIN stand b ON b.tenant = q.tenant AND b.endpoint_id = q.endpoint_id
     WHERE k.parked_until IS NULL OR k.parked_until <= $1
), gated AS MATERIALIZED (
    SELECT g.tenant, g.endpoint_id, greatest(g.paid_until, $1) AS paid_until,
           (SELECT count(*)::int FROM unnest(g.leases) AS l(ends) WHERE l.ends > $1) AS under_way,
           ARRAY(SELECT l.aggregate FROM unnest(g.leases, g.aggregates) AS l(ends, aggregate) WHERE l.ends > $1) AS aggregates
      FROM gates g JOIN wanted w ON w.tenant = g.tenant AND w.endpoint_id = g.endpoint_id AND w.free > 0
     WHERE g.opens_at <= $1
       FOR UPDATE OF g SKIP LOCKED
), room AS MATERIALIZED (
    SELECT w.tenant, w.endpoint_id, w.order_mode, w.busy, w.is_quick, w.is_new, w.place, g.aggregates,
           greatest(0, least(w.free, w.max_in_flight - g.under_way,
               CASE WHEN w.order_mode = 'fifo' THEN 1 - g.under_way END,
               floor(extract(epoch FROM $1 + interval '1 second' - g.paid_until) * w.max_per_second + 0.000001)::int)) AS free
      FROM wanted w LEFT JOIN gated g ON g.tenant = w.tenant AND g.endpoint_id = w.endpoint_id
     WHERE NOT w.is_gated OR g.tenant IS NOT NULL
)"""

# What is due: of a parallel lane the longest due; of a fifo lane its first delivery in log order, if that is due; of one that
# is ordered by aggregate the first delivery of each aggregate, skipping from one aggregate to the next from where the last look
# at this lane ended. What comes before in order holds back what comes after it, whether it waits or is under way. Replays come
# after all that is not one.
_DUE: Final = """
, heads AS MATERIALIZED (
    SELECT r.tenant, r.endpoint_id, r.free, s.*
      FROM room r CROSS JOIN LATERAL (
        WITH RECURSIVE firsts AS (
            SELECT r.place AS aggregate, NULL::tid AS spot, NULL::text AS id, NULL::timestamptz AS next_attempt_at,
                   false AS is_due, 0 AS seen, 0 AS found
            UNION ALL
            SELECT n.aggregate, n.spot, n.id, n.next_attempt_at, n.is_due, f.seen + 1, f.found + n.is_due::int
              FROM firsts f CROSS JOIN LATERAL (
                SELECT d.aggregate, d.ctid AS spot, d.id, d.next_attempt_at,
                       d.next_attempt_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)
                       AND d.aggregate <> ALL (r.aggregates) AS is_due
                  FROM deliveries d
                 WHERE d.tenant = r.tenant AND d.endpoint_id = r.endpoint_id AND d.state = 'PENDING'
                   AND d.aggregate > f.aggregate
                 ORDER BY d.aggregate, d.replay_id, d.position LIMIT 1) n
             WHERE f.found < r.free AND f.seen < $16::int
        ) SELECT * FROM firsts) s
     WHERE r.order_mode = 'per_aggregate' AND r.free > 0
), ready AS MATERIALIZED (
    SELECT r.tenant, r.endpoint_id, w.spot, w.id, w.next_attempt_at
      FROM room r CROSS JOIN LATERAL (
        SELECT d.ctid AS spot, d.id, d.next_attempt_at FROM deliveries d
         WHERE d.tenant = r.tenant AND d.endpoint_id = r.endpoint_id AND d.state = 'PENDING' AND d.next_attempt_at <= $1
           AND (d.lease_until IS NULL OR d.lease_until <= $1)
         ORDER BY d.next_attempt_at LIMIT r.free) w
     WHERE r.order_mode = 'parallel'
    UNION ALL
    SELECT r.tenant, r.endpoint_id, w.spot, w.id, w.next_attempt_at
      FROM room r CROSS JOIN LATERAL (
        SELECT d.ctid AS spot, d.id, d.next_attempt_at, d.lease_until FROM deliveries d
         WHERE d.tenant = r.tenant AND d.endpoint_id = r.endpoint_id AND d.state = 'PENDING'
         ORDER BY d.replay_id, d.position LIMIT 1) w
     WHERE r.order_mode = 'fifo' AND r.free > 0 AND w.next_attempt_at <= $1 AND (w.lease_until IS NULL OR w.lease_until <= $1)
    UNION ALL
    SELECT h.tenant, h.endpoint_id, h.spot, h.id, h.next_attempt_at FROM heads h WHERE h.is_due
)"""

# Tenants take turns, and within a tenant its lanes: the first delivery of each, then the second of each; what is under way has
# had its turn, and nobody has more turns than one tenant may have under way. Slots that are kept for quick lanes are given to no
# other, and of the rest some are kept for the first delivery to an endpoint of which nothing is known. A lease is looked at again
# under the row lock, because another dispatcher may have taken it since. From here on rows are fetched by where they lie: found
# by their key, a plan from when the table was empty would go through all of it, 3 to 13 s with 50,000 rows.
_TURNS: Final = """
, load AS (
    SELECT tenant, sum(busy) AS busy FROM stand GROUP BY tenant
), due AS (
    SELECT w.*, r.is_quick, r.is_new,
           r.busy + row_number() OVER (PARTITION BY w.tenant, w.endpoint_id ORDER BY w.next_attempt_at) AS turn
      FROM ready w JOIN room r ON r.tenant = w.tenant AND r.endpoint_id = w.endpoint_id
), fair AS (
    SELECT d.*, d.is_new AND d.turn = 1 AS is_first, coalesce(o.busy, 0)
                + row_number() OVER (PARTITION BY d.tenant ORDER BY d.turn, d.next_attempt_at, d.endpoint_id) AS tenant_turn
      FROM due d LEFT JOIN load o ON o.tenant = d.tenant
), counted AS (
    SELECT f.*, count(*) FILTER (WHERE f.is_first) OVER () AS firsts,
           count(*) FILTER (WHERE f.is_first) OVER turns AS first_place,
           count(*) FILTER (WHERE NOT f.is_first AND NOT f.is_quick) OVER turns AS open_place
      FROM fair f WHERE f.tenant_turn <= $17::bigint WINDOW turns AS (ORDER BY f.tenant_turn, f.next_attempt_at, f.tenant, f.id)
), chosen AS (
    SELECT d.ctid AS spot
      FROM deliveries d
      JOIN (SELECT * FROM counted
             WHERE is_quick OR CASE WHEN is_first THEN first_place <= $14::bigint
                                    ELSE open_place <= $13::bigint - least(firsts, $14::bigint) END
             ORDER BY tenant_turn, next_attempt_at LIMIT $12::bigint) c
        ON c.spot = d.ctid
     WHERE d.state = 'PENDING' AND d.next_attempt_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)
       FOR UPDATE OF d SKIP LOCKED
)"""

_LEASE: Final = """
, leased AS (
    UPDATE deliveries d SET lease_token = $2, lease_until = $3
      FROM chosen c WHERE d.ctid = c.spot AND d.state = 'PENDING'
    RETURNING d.tenant, d.endpoint_id, d.id, d.position, d.logged_at, d.attempts, d.lease_token, d.lease_until,
              d.base_attempts, d.aggregate
), counted_in AS (
    UPDATE gates g
       SET leases = ARRAY(SELECT l.ends FROM unnest(g.leases) WITH ORDINALITY AS l(ends, number)
                           WHERE l.ends > $1 ORDER BY l.number) || array_fill($3::timestamptz, ARRAY[n.amount]),
           aggregates = ARRAY(SELECT l.aggregate FROM unnest(g.leases, g.aggregates) WITH ORDINALITY AS l(ends, aggregate, number)
                               WHERE l.ends > $1 ORDER BY l.number) || n.aggregates,
           paid_until = greatest(g.paid_until, $1) + coalesce(n.amount * interval '1 second' / n.max_per_second, interval '0')
      FROM (SELECT l.tenant, l.endpoint_id, count(*)::int AS amount, array_agg(l.aggregate) AS aggregates,
                   min(w.max_per_second) AS max_per_second
              FROM leased l JOIN wanted w ON w.tenant = l.tenant AND w.endpoint_id = l.endpoint_id AND w.is_gated
             GROUP BY 1, 2) n
     WHERE g.tenant = n.tenant AND g.endpoint_id = n.endpoint_id
)
SELECT l.tenant, l.endpoint_id, l.id, l.attempts, e.url, s.sealed, v.id, v.type, v.body, l.lease_token, l.lease_until,
       l.aggregate, s.numbers, l.base_attempts, e.max_in_flight, e.verified_at IS NOT NULL, w.is_gated, NULL::text,
       NULL::bool
  FROM leased l
  JOIN wanted w ON w.tenant = l.tenant AND w.endpoint_id = l.endpoint_id
  JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id
  JOIN LATERAL (SELECT id, type, body FROM event_log v
                 WHERE v.tenant = l.tenant AND v.position = l.position AND v.logged_at = l.logged_at LIMIT 1) v ON true
  JOIN LATERAL (SELECT array_agg(s.sealed ORDER BY s.primary_at > $1, s.number DESC) AS sealed,
                       array_agg(s.number ORDER BY s.primary_at > $1, s.number DESC) AS numbers FROM secrets s
                 WHERE s.tenant = l.tenant AND s.endpoint_id = l.endpoint_id
                   AND (s.retires_at IS NULL OR s.retires_at > $1)) s ON true
UNION ALL
SELECT h.tenant, h.endpoint_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       CASE WHEN h.found >= h.free OR h.seen >= $16::int THEN h.aggregate ELSE '' END, h.found < h.free AND h.seen >= $16::int
  FROM (SELECT DISTINCT ON (tenant, endpoint_id) * FROM heads ORDER BY tenant, endpoint_id, seen DESC) h
"""

CLAIM: Final = LANES + _ROOM + _DUE + _TURNS + _LEASE


async def claim(
    connection: Connection, *, now: datetime, token: str, lease_until: datetime, room: Room, breaker: Breaker
) -> Claims:
    """Lease due deliveries, as many as there is room for, and tell how far the lanes ordered by aggregate were looked at."""
    stand = list(room.lanes.items())
    records = await connection.fetch(
        CLAIM,
        now,
        token,
        lease_until,
        [key[0] for key, _ in stand],
        [key[1] for key, _ in stand],
        [lane.limit for _, lane in stand],
        [lane.busy for _, lane in stand],
        [lane.is_quick for _, lane in stand],
        [lane.is_known for _, lane in stand],
        [lane.place for _, lane in stand],
        room.default,
        room.slots,
        room.open_slots,
        room.new_slots,
        breaker.failures,
        AGGREGATES_LOOKED_AT,
        room.tenant_max,
    )
    claimed = [Claimed(*record[:17]) for record in records if record[17] is None]
    return Claims(claimed, [Scan((record[0], record[1]), record[17], record[18]) for record in records if record[17] is not None])

"""How the lanes with work stand, in numbers: what monitoring is told, without a name in it."""

from datetime import datetime
from typing import Final

import asyncpg

from services.webhooks.domain.lanes import Breaker, LaneSum
from services.webhooks.store.claims import LANES

_LANE_STATES: Final = f"""{LANES}
SELECT CASE WHEN e.active IS NOT TRUE THEN 'inactive' WHEN k.parked_until > $1 THEN 'parked'
            WHEN k.failures >= $2::int THEN 'probing' ELSE 'open' END AS state,
       count(*)::int, min(d.next_attempt_at)
  FROM queues l
  LEFT JOIN endpoints e ON e.tenant = l.tenant AND e.id = l.endpoint_id
  LEFT JOIN lanes k ON k.tenant = l.tenant AND k.endpoint_id = l.endpoint_id
 CROSS JOIN LATERAL (SELECT d.next_attempt_at FROM deliveries d
                      WHERE d.tenant = l.tenant AND d.endpoint_id = l.endpoint_id AND d.state = 'PENDING'
                      ORDER BY d.next_attempt_at LIMIT 1) d
 GROUP BY 1
"""  # noqa: S608 - made of our own text


async def lane_states(pool: asyncpg.Pool, *, now: datetime, breaker: Breaker) -> list[LaneSum]:
    """Sum up the endpoints that have deliveries not finished, by what becomes of those now."""
    return [LaneSum(*record) for record in await pool.fetch(_LANE_STATES, now, breaker.failures)]

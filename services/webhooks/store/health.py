"""How endpoints do, read from indexes whatever their backlog."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from services.webhooks.domain.health import BACKLOG_COUNTED, DAY, SLOT, Slot

_STANDING: Final = f"""
SELECT e.tenant, e.id, e.active, now(), coalesce(l.failures, 0), l.parked_until, l.failing_since, l.last_success_at,
       b.backlog, o.created_at
  FROM unnest($1::text[], $2::text[]) AS k(tenant, id)
  JOIN endpoints e ON e.tenant = k.tenant AND e.id = k.id
  LEFT JOIN lanes l ON l.tenant = e.tenant AND l.endpoint_id = e.id
 CROSS JOIN LATERAL (
    SELECT count(*) AS backlog FROM (
        SELECT FROM deliveries d WHERE d.tenant = e.tenant AND d.endpoint_id = e.id AND d.state = 'PENDING'
         LIMIT {BACKLOG_COUNTED + 1}) d) b
  LEFT JOIN LATERAL (
    SELECT d.created_at FROM deliveries d WHERE d.tenant = e.tenant AND d.endpoint_id = e.id AND d.state = 'PENDING'
     ORDER BY d.id LIMIT 1) o ON true
"""  # noqa: S608 - a number from code
_TRAFFIC: Final = """
SELECT k.tenant, k.id, t.slot, t.bucket, t.delivered, t.failed, t.answered
  FROM unnest($1::text[], $2::text[]) AS k(tenant, id)
  JOIN traffic t ON t.tenant = k.tenant AND t.endpoint_id = k.id AND t.slot > now() - $3::interval
"""
_FORGET: Final = "DELETE FROM traffic WHERE slot < $1"

Key = tuple[str, str]


class Standing(NamedTuple):
    """An endpoint and its lane as they are `now`; a backlog above what is counted is one more than that."""

    tenant: str
    endpoint_id: str
    active: bool
    now: datetime
    failures: int
    parked_until: datetime | None
    failing_since: datetime | None
    last_success_at: datetime | None
    backlog: int
    oldest_at: datetime | None


async def standings(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Standing]:
    """Return the endpoints that exist, by (tenant, id)."""
    records = await pool.fetch(_STANDING, [key[0] for key in keys], [key[1] for key in keys])
    return {(record[0], record[1]): Standing(*record) for record in records}


async def traffic(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, list[Slot]]:
    """Return the counts of the last day, by (tenant, endpoint)."""
    found: dict[Key, list[Slot]] = {}
    for record in await pool.fetch(_TRAFFIC, [key[0] for key in keys], [key[1] for key in keys], DAY + SLOT):
        found.setdefault((record[0], record[1]), []).append(Slot(*record[2:]))
    return found


async def forget(pool: asyncpg.Pool, *, before: datetime) -> None:
    """Drop counts that nobody asks for any more."""
    await pool.execute(_FORGET, before)

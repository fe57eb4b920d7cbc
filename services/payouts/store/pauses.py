"""Which assets are paused, and what the treasury owes of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from services.payouts.domain.treasury import TREASURY_FAULTS, Cause

_OWED: Final = """
SELECT currency, sum(amount)::bigint FROM (
    SELECT currency, amount FROM withdrawals WHERE waiting_from IS NOT NULL
    UNION ALL
    SELECT s.currency, w.amount FROM slots s
      JOIN slot_items i ON i.channel = s.channel AND i.sequence = s.sequence AND i.state = 'OPEN'
      JOIN withdrawals w ON w.tenant = i.tenant AND w.id = i.withdrawal_id
     WHERE s.state = 'OPEN'
) AS owed GROUP BY currency
"""
_FAULTS: Final = """
SELECT DISTINCT s.currency, i.code FROM slots s
  JOIN slot_items i ON i.channel = s.channel AND i.sequence = s.sequence AND i.state = 'AGAIN' AND i.code = ANY($2)
 WHERE s.state = 'FAILED' AND s.closed_at > $1 AND i.source IS NULL
"""
_PAUSE: Final = """
INSERT INTO asset_pauses (currency, cause, reason, since) VALUES ($1, $2, $3, $4)
    ON CONFLICT (currency, cause) DO UPDATE SET reason = EXCLUDED.reason
"""
_RESUME: Final = "DELETE FROM asset_pauses WHERE currency = $1 AND cause = $2"
_ALL: Final = "SELECT currency, cause, reason, since FROM asset_pauses ORDER BY currency, cause"


async def owed(pool: asyncpg.Pool) -> dict[str, int]:
    """Sum what waits for a slot and what is in an open one, by currency."""
    return {record[0]: record[1] for record in await pool.fetch(_OWED)}


async def recent_faults(pool: asyncpg.Pool, since: datetime) -> dict[str, str]:
    """Return, by currency, a code with which the network refused the treasury's own payments since then."""
    return {record[0]: record[1] for record in await pool.fetch(_FAULTS, since, list(TREASURY_FAULTS))}


async def pause(pool: asyncpg.Pool, currency: str, cause: Cause, reason: str, now: datetime) -> None:
    """Pause an asset; what is in a slot already goes on."""
    await pool.execute(_PAUSE, currency, cause, reason, now)


async def resume(pool: asyncpg.Pool, currency: str, cause: Cause) -> bool:
    """Take one cause away, and tell whether it was there; the asset goes on when none is left."""
    done: str = await pool.execute(_RESUME, currency, cause)
    return done != "DELETE 0"


async def paused(pool: asyncpg.Pool) -> Sequence[asyncpg.Record]:
    """List the pauses: currency, cause, reason, since."""
    found: Sequence[asyncpg.Record] = await pool.fetch(_ALL)
    return found

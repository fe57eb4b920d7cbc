"""What there is to pay, in one small question: asked often, and mostly answered with nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.payouts.domain.slots import BATCH_MAX

_LOOKED_AT_MAX: Final = 2_000
"""Waiting withdrawals that are counted: more would not fit into a ledger."""
_LOOK: Final = """
WITH waiting AS (
    SELECT memo IS NOT NULL AS is_alone, count(*) AS count
      FROM (SELECT currency, memo, is_proven FROM withdrawals
             WHERE waiting_from <= $1 AND currency NOT IN (SELECT currency FROM asset_pauses)
               AND NOT EXISTS (SELECT FROM channels WHERE is_quarantined)
             ORDER BY waiting_from LIMIT $2) AS next
     GROUP BY currency, is_proven, memo IS NOT NULL
)
SELECT coalesce((SELECT sum(CASE WHEN is_alone THEN count ELSE (count + $3 - 1) / $3 END)::bigint FROM waiting), 0),
       ARRAY(SELECT channel FROM slots WHERE state = 'OPEN'),
       ARRAY(SELECT i.channel FROM withdrawals w JOIN slot_items i ON i.tenant = w.tenant AND i.withdrawal_id = w.id
              WHERE w.cancel_requested AND w.status = 'PROCESSING' AND i.state = 'OPEN')
"""


@dataclass(frozen=True, slots=True)
class Due:
    """How many slots would hold what waits, which channels have one open, and which of them a payment in it called off."""

    slots_wanted: int
    open_channels: frozenset[str]
    hurried_channels: frozenset[str]

    @property
    def is_any(self) -> bool:
        """Tell whether there is anything to do."""
        return self.slots_wanted > 0 or bool(self.open_channels)


async def look(pool: asyncpg.Pool, now: datetime) -> Due:
    """Look at what is due now."""
    record = await pool.fetchrow(_LOOK, now, _LOOKED_AT_MAX, BATCH_MAX)
    if record is None:
        return Due(0, frozenset(), frozenset())
    return Due(record[0], frozenset(record[1]), frozenset(record[2]))

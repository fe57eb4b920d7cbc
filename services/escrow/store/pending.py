"""Intents that await the ledger's answer, as the sweeper sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from services.escrow.domain.orders import Pending

# The wait doubles from `first` to `longest` seconds. Rows that a write transaction holds are on the move anyway: skipped.
_TAKE_DUE: Final = """
WITH due AS (
    SELECT tenant, id FROM orders WHERE pending_due <= $1 ORDER BY pending_due LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders o
   SET pending_tries = o.pending_tries + 1,
       pending_due = $1 + make_interval(secs => least($3 * 2 ^ least(o.pending_tries, 16), $4))
  FROM due WHERE o.tenant = due.tenant AND o.id = due.id
RETURNING o.tenant, o.id, o.pending, o.pending_tries
"""
_AGE: Final = """
SELECT min(pending_since), count(*) FILTER (WHERE pending_tries >= $1) FROM orders WHERE pending_due IS NOT NULL
"""
_decode: Final = msgspec.json.Decoder(Pending).decode


@dataclass(frozen=True, slots=True)
class Due:
    """An intent to send again, for the `tries`th time."""

    tenant: str
    order_id: str
    pending: Pending
    tries: int


async def take_due(pool: asyncpg.Pool, *, now: datetime, limit: int, first: float, longest: float) -> list[Due]:
    """Count one more try for the intents that are due, and return them; each is given to one sweeper only."""
    records = await pool.fetch(_TAKE_DUE, now, limit, first, longest)
    return [Due(record[0], record[1], _decode(record[2]), record[3]) for record in records]


async def age(pool: asyncpg.Pool, *, alarm_tries: int) -> tuple[datetime | None, int]:
    """Return since when the oldest intent has waited, and how many were tried so often that a person must look."""
    record = await pool.fetchrow(_AGE, alarm_tries)
    return (None, 0) if record is None else (record[0], record[1])

"""Deposits that wait for a person, and what the person says."""

from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

_WAITING: Final = """
SELECT id, reason, asset, amount, sender, memo, transaction_hash, closed_at FROM deposits
 WHERE network = $1 AND status = 'SUSPENSE' ORDER BY operation_id
"""
# Another version is another question to the ledger: one that was refused can be asked again. The sweeper sends it.
_CREDIT: Final = """
UPDATE deposits SET tenant = $2, user_id = $3, status = 'PENDING', reason = NULL, version = version + 1, pending_tries = 0,
       pending_due = $4
 WHERE id = $1 AND status = 'SUSPENSE' AND currency IS NOT NULL
"""
_KEEP: Final = "UPDATE deposits SET status = 'KEPT' WHERE id = $1 AND status = 'SUSPENSE'"


class Waiting(NamedTuple):
    """A deposit in suspense; the amount is in stroops."""

    id: str
    reason: str
    asset: str
    amount: int
    sender: str
    memo: str
    transaction_hash: str
    closed_at: datetime


async def waiting(pool: asyncpg.Pool, network: str) -> list[Waiting]:
    """Return what waits, oldest first."""
    return [Waiting(*record) for record in await pool.fetch(_WAITING, network)]


async def credit(pool: asyncpg.Pool, deposit_id: str, tenant: str, user_id: str, now: datetime) -> bool:
    """Have the ledger credit a user with it; False when it does not wait, or is nothing the books keep."""
    return await pool.execute(_CREDIT, deposit_id, tenant, user_id, now) == "UPDATE 1"


async def keep(pool: asyncpg.Pool, deposit_id: str) -> bool:
    """Say that it is the platform's own; False when it does not wait."""
    return await pool.execute(_KEEP, deposit_id) == "UPDATE 1"

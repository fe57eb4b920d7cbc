"""What came to a user's wallet and what went from it, as one list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.pages import Bounds, Listing, every, given
from services.payouts.domain.withdrawals import Status

_COLUMNS: Final = "id, type, status, amount, currency, address, transaction_hash, transaction_ledger, created_at"
# A relation without a name of its own: its parts keep their indexes, since each scan's conditions go down into them.
_MOVED: Final = """(
SELECT tenant, user_id, id, 'withdrawal' AS type, status, amount, quoted_currency AS currency, address, transaction_hash,
       transaction_ledger, created_at
  FROM withdrawals WHERE is_booked
UNION ALL
SELECT tenant, user_id, id, 'deposit', CASE status WHEN 'CREDITED' THEN 'COMPLETED' ELSE 'PENDING' END, amount,
       CASE currency WHEN 'USD' THEN 'USDC' ELSE currency END, sender, transaction_hash, ledger, created_at
  FROM deposits WHERE currency IS NOT NULL
) AS movements"""
_LISTED: Final = Listing(_MOVED, _COLUMNS, order=("created_at", "id"))


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came or went; the address is the other side's."""

    id: str
    type: str
    status: str
    amount: int
    currency: str
    address: str
    transaction_hash: str | None
    ledger: int | None
    created_at: datetime


async def page(pool: asyncpg.Pool, tenant: str, user_id: str, bounds: Bounds) -> list[Movement] | None:
    """Return a page of a user's movements and one more, newest first; None for an unknown cursor."""
    went = every(user_id=[user_id], type=["withdrawal"], status=Status)
    scans = [*went, given(user_id=user_id, type="deposit")]
    records = await _LISTED.read(pool, tenant, scans, bounds)
    return None if records is None else [Movement(*record) for record in records]

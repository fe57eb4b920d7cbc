"""Withdrawals that may have been paid by transactions of which this database knows nothing."""

from typing import Final

from libs.common.persistence.rows import Connection
from services.payouts.domain.adoption import Candidate

# Those of the channel's open slot by their places in it, or those that are in no slot, oldest first.
_IN_SLOT: Final = """
SELECT w.tenant, w.id, w.address, w.amount, w.currency, w.memo_type, w.memo, i.source
  FROM slot_items i JOIN withdrawals w ON w.tenant = i.tenant AND w.id = i.withdrawal_id
 WHERE i.channel = $1 AND i.sequence = $2 ORDER BY i.place
"""
_WAITING: Final = """
SELECT w.tenant, w.id, w.address, w.amount, w.currency, w.memo_type, w.memo, a.public_key
  FROM withdrawals w LEFT JOIN wallets a ON a.tenant = w.tenant AND a.user_id = w.user_id
 WHERE w.is_booked AND w.status IN ('PENDING', 'PROCESSING') AND w.pending IS NULL
   AND NOT EXISTS (SELECT FROM slot_items i
                    WHERE i.tenant = w.tenant AND i.withdrawal_id = w.id AND i.state IN ('OPEN', 'PAID'))
 ORDER BY w.created_at, w.tenant, w.id FOR NO KEY UPDATE OF w
"""


async def in_slot(connection: Connection, channel: str, sequence: int) -> list[Candidate]:
    """Return the withdrawals in a slot, by place."""
    return [Candidate(*record) for record in await connection.fetch(_IN_SLOT, channel, sequence)]


async def waiting(connection: Connection) -> list[Candidate]:
    """Return and lock the withdrawals that are in no slot."""
    return [Candidate(*record) for record in await connection.fetch(_WAITING)]

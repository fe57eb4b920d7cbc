"""What the payouts service is asked, in sets: one statement answers a whole frame of questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

# The sealed secret is not among the columns: nothing that answers a question ever holds it.
_WALLETS: Final = """
SELECT w.tenant, w.id, w.user_id, w.public_key, w.provider, w.network, w.memo, w.created_at FROM wallets w
  JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS u(tenant, user_id)) AS k
    ON w.tenant = k.tenant AND w.user_id = k.user_id
"""

_ACTIVE: Final = """
SELECT p.tenant, p.user_id FROM parties p
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, user_id) ON p.tenant = k.tenant AND p.user_id = k.user_id
 WHERE p.status = 'ACTIVE'
"""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ShownWallet:
    """What may be shown of a wallet."""

    tenant: str
    id: str
    user_id: str
    public_key: str
    provider: str
    network: str
    memo: int
    """Stands for the user in payments to the treasury."""
    created_at: datetime


async def wallets(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, ShownWallet]:
    """Return the wallets that exist, by (tenant, user id)."""
    records = await pool.fetch(_WALLETS, [key[0] for key in keys], [key[1] for key in keys])
    found = [ShownWallet(*record) for record in records]
    return {(wallet.tenant, wallet.user_id): wallet for wallet in found}


async def active_parties(pool: asyncpg.Pool, keys: Sequence[Key]) -> set[Key]:
    """Return those users, by (tenant, user id), that are known as active."""
    records = await pool.fetch(_ACTIVE, [key[0] for key in keys], [key[1] for key in keys])
    return {(record[0], record[1]) for record in records}

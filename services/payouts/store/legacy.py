"""Secrets that stand in the wallets' own table, from before the signer had one."""

from collections.abc import Sequence
from typing import Final

import asyncpg

_NEXT: Final = """
SELECT tenant, id, public_key FROM wallets WHERE sealed_secret <> '' AND network = $1 ORDER BY tenant, id LIMIT $2
"""
_EMPTY: Final = """
UPDATE wallets w SET sealed_secret = '' FROM unnest($1::text[], $2::text[]) AS n(tenant, id)
 WHERE w.tenant = n.tenant AND w.id = n.id
"""


async def next_wallets(pool: asyncpg.Pool, network: str, *, limit: int) -> list[tuple[str, str, str]]:
    """Return wallets whose secret is still in the old place: tenant, id, address."""
    return [(record["tenant"], record["id"], record["public_key"]) for record in await pool.fetch(_NEXT, network, limit)]


async def empty(pool: asyncpg.Pool, wallets: Sequence[tuple[str, str]]) -> None:
    """Drop the old secrets of these wallets (tenant, id)."""
    await pool.execute(_EMPTY, [tenant for tenant, _ in wallets], [wallet_id for _, wallet_id in wallets])

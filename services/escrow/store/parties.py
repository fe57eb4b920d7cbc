"""Parties outside a write transaction: which are known as active, and what the ledger said of the others."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.escrow.store.rows import PartyRow

Key = tuple[str, str]

_ACTIVE: Final = """
SELECT p.tenant, p.user_id FROM parties p
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, user_id) ON p.tenant = k.tenant AND p.user_id = k.user_id
 WHERE p.status = 'ACTIVE'
"""
_KEEP: Final = """
INSERT INTO parties (tenant, user_id, status, sequence)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (tenant, user_id) DO UPDATE SET status = EXCLUDED.status, sequence = EXCLUDED.sequence
 WHERE parties.sequence < EXCLUDED.sequence
"""


async def active(pool: asyncpg.Pool, keys: Sequence[Key]) -> set[Key]:
    """Return those of the keys that are in the table and active."""
    records = await pool.fetch(_ACTIVE, [key[0] for key in keys], [key[1] for key in keys])
    return {(record[0], record[1]) for record in records}


async def keep(pool: asyncpg.Pool, parties: Sequence[PartyRow]) -> None:
    """Write parties down in key order, each unless something newer is known of it."""
    ordered = sorted(parties, key=lambda party: (party.tenant, party.user_id))
    columns = [[getattr(party, name) for party in ordered] for name in ("tenant", "user_id", "status", "sequence")]
    await pool.execute(_KEEP, *columns)

"""Parties outside a write transaction: what is known of them, and what the ledger said of the others."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.escrow.store.rows import PARTIES_SEEN, PartyRow

Key = tuple[str, str]

_KEEP: Final = """
INSERT INTO parties (tenant, user_id, status, sequence)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (tenant, user_id) DO UPDATE SET status = EXCLUDED.status, sequence = EXCLUDED.sequence
 WHERE parties.sequence < EXCLUDED.sequence
"""


async def find(pool: asyncpg.Pool, keys: Sequence[Key]) -> list[PartyRow]:
    """Return those of the parties that are in the table, without locks: a busy buyer's orders don't queue up."""
    async with pool.acquire() as connection:
        return await PARTIES_SEEN.load(connection, keys)


async def keep(pool: asyncpg.Pool, parties: Sequence[PartyRow]) -> None:
    """Write parties down in key order, each unless something newer is known of it."""
    ordered = sorted(parties, key=lambda party: (party.tenant, party.user_id))
    columns = [[getattr(party, name) for party in ordered] for name in ("tenant", "user_id", "status", "sequence")]
    await pool.execute(_KEEP, *columns)

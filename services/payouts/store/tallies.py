"""What the comparison of chain and books needs of our tables, and what came of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from libs.common.kernel.ids import Tenant

_STANDING: Final = """
SELECT (SELECT ledger FROM scans WHERE network = $1),
       (SELECT count(*) FROM deposits WHERE status = 'PENDING')
     + (SELECT count(*) FROM slots WHERE state = 'OPEN')
     + (SELECT count(*) FROM sweeps WHERE network = $1 AND state = 'open')
     + (SELECT count(*) FROM withdrawals WHERE status = 'PROCESSING' OR pending IS NOT NULL),
       (SELECT count(*) FROM deposits WHERE network = $1),
       (SELECT count(*) FROM slots),
       (SELECT count(*) FROM sweeps WHERE network = $1)
"""
_UNBOOKED: Final = """
SELECT currency, sum(amount)::bigint FROM deposits
 WHERE network = $1 AND status <> 'CREDITED' AND currency IS NOT NULL GROUP BY currency
"""
_ACCOUNTS: Final = "SELECT DISTINCT account FROM deposits WHERE network = $1"
_TENANTS: Final = "SELECT tenant FROM deposits WHERE tenant <> '' UNION SELECT tenant FROM withdrawals"
_SAVE: Final = """
INSERT INTO tallies (network, currency, ledger, held, booked, unbooked, compared_at)
SELECT $1, currency, $2, held, booked, unbooked, $3
  FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::bigint[]) AS u(currency, held, booked, unbooked)
ON CONFLICT (network, currency) DO UPDATE
   SET ledger = excluded.ledger, held = excluded.held, booked = excluded.booked, unbooked = excluded.unbooked,
       compared_at = excluded.compared_at
"""
_LAST: Final = """
SELECT currency, ledger, held, booked, unbooked, compared_at FROM tallies WHERE network = $1 ORDER BY currency
"""


class Standing(NamedTuple):
    """How far payouts has come; two that are equal, but for the ledger, have nothing between them."""

    ledger: int | None
    """Up to which deposits have been looked for."""
    moving: int
    """What is on its way between the chain and the books."""
    deposits: int
    slots: int
    sweeps: int


class Tally(NamedTuple):
    """Chain and books of one currency as of a ledger, in stroops."""

    currency: str
    ledger: int
    held: int
    """By our accounts on the chain."""
    booked: int
    """What came in from the chain by the ledger's books, less what went out."""
    unbooked: int
    """What came in and is nobody's, or the platform's own."""
    compared_at: datetime

    @property
    def difference(self) -> int:
        """What is on the chain and not accounted for; below zero, what is missing there."""
        return self.held - self.booked - self.unbooked


async def standing(pool: asyncpg.Pool, network: str) -> Standing:
    """Return how far payouts has come."""
    record = await pool.fetchrow(_STANDING, network)
    return Standing(None, 0, 0, 0, 0) if record is None else Standing(*record)


async def unbooked(pool: asyncpg.Pool, network: str) -> dict[str, int]:
    """Return what deposits are worth that nobody was credited with, by currency."""
    return {record[0]: record[1] for record in await pool.fetch(_UNBOOKED, network)}


async def accounts(pool: asyncpg.Pool, network: str) -> set[str]:
    """Return the accounts of ours that ever received anything."""
    return {record[0] for record in await pool.fetch(_ACCOUNTS, network)}


async def tenants(pool: asyncpg.Pool) -> list[Tenant]:
    """Return whose money ever came or went."""
    return [Tenant(record[0]) for record in await pool.fetch(_TENANTS)]


async def save(pool: asyncpg.Pool, network: str, found: Sequence[Tally]) -> None:
    """Keep the newest comparison of each currency."""
    columns = list(zip(*((each.currency, each.held, each.booked, each.unbooked) for each in found), strict=True))
    await pool.execute(_SAVE, network, found[0].ledger, found[0].compared_at, *columns)


async def last(pool: asyncpg.Pool, network: str) -> list[Tally]:
    """Return the newest comparison of each currency."""
    return [Tally(*record) for record in await pool.fetch(_LAST, network)]

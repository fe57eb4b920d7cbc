"""Deposits as the scan finds them, as the ledger's answers settle them, and as the sweeper sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from libs.common.persistence.rows import Connection, Table
from services.payouts.domain.deposits import Deposit, Owner, Status


class DepositRow(msgspec.Struct, frozen=True, gc=False):
    """What the ledger's answer changes of a deposit, and what it must know for that."""

    tenant: str
    id: str
    status: Status
    reason: str | None
    version: int
    pending_due: datetime | None
    credited_at: datetime | None


DEPOSITS: Final = Table(
    "deposits",
    DepositRow,
    {
        "tenant": "text",
        "id": "text",
        "status": "text",
        "reason": "text",
        "version": "integer",
        "pending_due": "timestamptz",
        "credited_at": "timestamptz",
    },
    key=("tenant", "id"),
    lock=True,
    frozen_columns=("version",),
)

_COLUMNS: Final = {
    "tenant": "text",
    "id": "text",
    "user_id": "text",
    "network": "text",
    "account": "text",
    "operation_id": "bigint",
    "ledger": "bigint",
    "transaction_hash": "text",
    "kind": "text",
    "asset": "text",
    "currency": "text",
    "amount": "bigint",
    "sender": "text",
    "memo": "text",
    "status": "text",
    "reason": "text",
    "version": "integer",
    "pending_due": "timestamptz",
    "closed_at": "timestamptz",
    "created_at": "timestamptz",
}
_ADD: Final = f"""
INSERT INTO deposits ({", ".join(_COLUMNS)})
SELECT * FROM unnest({", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_COLUMNS.values(), 1))})
ON CONFLICT DO NOTHING RETURNING operation_id
"""  # noqa: S608 - column names from code
_OWNERS: Final = "SELECT public_key, tenant, user_id FROM wallets WHERE network = $1 AND public_key = ANY($2::text[])"
_BY_MEMO: Final = "SELECT memo, tenant, user_id FROM wallets WHERE network = $1 AND memo = ANY($2::bigint[])"
# The wait doubles from `first` to `longest` seconds. Rows that a write transaction holds are on the move anyway: skipped.
_TAKE_DUE: Final = """
WITH due AS (
    SELECT tenant, id FROM deposits WHERE pending_due <= $1 ORDER BY pending_due LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deposits d
   SET pending_tries = d.pending_tries + 1,
       pending_due = $1 + make_interval(secs => least($3 * 2 ^ least(d.pending_tries, 16), $4))
  FROM due WHERE d.tenant = due.tenant AND d.id = due.id
RETURNING d.tenant, d.id, d.user_id, d.currency, d.amount, d.transaction_hash, d.version, d.pending_tries
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A deposit to ask the ledger about again, for the `tries`th time."""

    tenant: str
    deposit_id: str
    user_id: str
    currency: str
    amount: int
    transaction_hash: str
    version: int
    tries: int


async def add(connection: Connection, found: Sequence[Deposit]) -> list[Deposit]:
    """Write deposits down, and return those that were not there yet."""
    if not found:
        return []
    rows = zip(*map(msgspec.structs.astuple, found), strict=True)
    fresh = {record[0] for record in await connection.fetch(_ADD, *rows)}
    return [deposit for deposit in found if deposit.operation_id in fresh]


async def owners(pool: asyncpg.Pool, network: str, addresses: Sequence[str]) -> dict[str, Owner]:
    """Return whose wallets these addresses are; others are left out."""
    return {record[0]: Owner(record[1], record[2]) for record in await pool.fetch(_OWNERS, network, addresses)}


async def owners_by_memo(pool: asyncpg.Pool, network: str, memos: Sequence[int]) -> dict[int, Owner]:
    """Return whom these numbers stand for."""
    if not memos:
        return {}
    return {record[0]: Owner(record[1], record[2]) for record in await pool.fetch(_BY_MEMO, network, memos)}


async def take_due(pool: asyncpg.Pool, *, now: datetime, limit: int, first: float, longest: float) -> list[Due]:
    """Count one more try for the deposits that are due, and return them; each is given to one sweeper only."""
    return [Due(*record) for record in await pool.fetch(_TAKE_DUE, now, limit, first, longest)]

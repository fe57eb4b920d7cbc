"""Withdrawals as the write path works with them, as they are asked for, and as the sweeper sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from libs.common.contracts.queries.payouts import ListWithdrawals
from libs.common.persistence.pages import Bounds, Listing, every, given
from libs.common.persistence.rows import Table
from services.payouts.domain.withdrawal_limits import KnownDestination, Spent
from services.payouts.domain.withdrawals import Intent, Status, Withdrawal

Key = tuple[str, str]


class InFlightRow(msgspec.Struct, frozen=True, gc=False):
    """The one withdrawal that a user has under way; there is no row for who has none."""

    tenant: str
    user_id: str
    withdrawal_id: str
    new_destination: str | None = None
    """Where it goes, if the user has not withdrawn there before; see `destination_name`."""


WITHDRAWALS: Final = Table(
    "withdrawals",
    Withdrawal,
    {
        "tenant": "text",
        "id": "text",
        "user_id": "text",
        "amount": "bigint",
        "currency": "text",
        "quoted_currency": "text",
        "destination_type": "text",
        "address": "text",
        "memo_type": "text",
        "memo": "text",
        "description": "text",
        "metadata": "jsonb",
        "status": "text",
        "is_booked": "boolean",
        "waiting_from": "timestamptz",
        "cancel_requested": "boolean",
        "cancel_reason": "text",
        "transaction_hash": "text",
        "transaction_ledger": "bigint",
        "failure_code": "text",
        "failure_reason": "text",
        "version": "bigint",
        "sequence": "bigint",
        "pending": "jsonb",
        "pending_tries": "integer",
        "pending_due": "timestamptz",
        "asked_by": "text",
        "needs_approval": "boolean",
        "approved_by": "text",
        "hold_until": "timestamptz",
        "flags": "jsonb",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    key=("tenant", "id"),
    lock=True,
    frozen_columns=(
        "user_id",
        "amount",
        "currency",
        "quoted_currency",
        "destination_type",
        "address",
        "memo_type",
        "memo",
        "description",
        "metadata",
        "asked_by",
        "needs_approval",
        "hold_until",
        "flags",
        "created_at",
    ),
)
IN_FLIGHT: Final = Table(
    "withdrawals_in_flight",
    InFlightRow,
    {"tenant": "text", "user_id": "text", "withdrawal_id": "text", "new_destination": "text"},
    key=("tenant", "user_id"),
)
DESTINATIONS: Final = Table(
    "withdrawal_destinations",
    KnownDestination,
    {"tenant": "text", "user_id": "text", "destination": "text", "first_at": "timestamptz"},
    key=("tenant", "user_id", "destination"),
)
SPENDING: Final = Table(
    "withdrawal_spending",
    Spent,
    {
        "tenant": "text",
        "user_id": "text",
        "currency": "text",
        "day": "date",
        "amount": "bigint",
        "count": "integer",
        "largest": "bigint",
    },
    key=("tenant", "user_id", "currency"),
    lock=True,
)

LOCK_ORDER: Final = (WITHDRAWALS, IN_FLIGHT, DESTINATIONS, SPENDING)
"""Behind the wallets, every transaction touches the tables in this order."""

_BY_ID: Final = f"""
SELECT {", ".join(f"w.{name}" for name in WITHDRAWALS.columns)} FROM withdrawals w
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON w.tenant = k.tenant AND w.id = k.id
 WHERE w.is_booked
"""  # noqa: S608 - column names from code
_LISTED: Final = Listing("withdrawals", WITHDRAWALS.select_list, order=("created_at", "id"), where="is_booked")
# The wait doubles from `first` to `longest` seconds. Rows that a write transaction holds are on the move anyway: skipped.
_TAKE_DUE: Final = """
WITH due AS (
    SELECT tenant, id FROM withdrawals WHERE pending_due <= $1 ORDER BY pending_due LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE withdrawals w
   SET pending_tries = w.pending_tries + 1,
       pending_due = $1 + make_interval(secs => least($3 * 2 ^ least(w.pending_tries, 16), $4))
  FROM due WHERE w.tenant = due.tenant AND w.id = due.id
RETURNING w.tenant, w.id, w.user_id, w.pending, w.pending_tries
"""
_OLDEST_UNAPPROVED: Final = """
SELECT min(created_at) FROM withdrawals WHERE needs_approval AND approved_by IS NULL AND status = 'PENDING'
"""
_decode: Final = msgspec.json.Decoder(Intent).decode


@dataclass(frozen=True, slots=True)
class Due:
    """An intent to send again, for the `tries`th time."""

    tenant: str
    withdrawal_id: str
    user_id: str
    intent: Intent
    tries: int


async def by_id(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Withdrawal]:
    """Return the withdrawals that exist and are booked, by (tenant, id)."""
    wanted = sorted(set(keys))
    records = await pool.fetch(_BY_ID, [key[0] for key in wanted], [key[1] for key in wanted])
    rows = [WITHDRAWALS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def page(pool: asyncpg.Pool, tenant: str, query: ListWithdrawals, bounds: Bounds) -> list[Withdrawal] | None:
    """Return a page of withdrawals and one more, newest first; None for an unknown cursor."""
    whose = given(user_id=query.user_id)
    scans = [{**whose, **status} for status in every(status=Status if query.status is None else [query.status])]
    records = await _LISTED.read(pool, tenant, scans, bounds)
    return None if records is None else [WITHDRAWALS.from_record(record) for record in records]


async def take_due(pool: asyncpg.Pool, *, now: datetime, limit: int, first: float, longest: float) -> list[Due]:
    """Count one more try for the intents that are due, and return them; each is given to one sweeper only."""
    records = await pool.fetch(_TAKE_DUE, now, limit, first, longest)
    return [Due(record[0], record[1], record[2], _decode(record[3]), record[4]) for record in records]


async def oldest_unapproved(pool: asyncpg.Pool) -> datetime | None:
    """Return since when the oldest withdrawal waits for its approval; None when none does."""
    since: datetime | None = await pool.fetchval(_OLDEST_UNAPPROVED)
    return since

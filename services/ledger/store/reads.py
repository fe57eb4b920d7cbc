"""What the ledger is asked, in sets: one statement answers a whole frame of questions."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

from services.ledger.store.rows import USERS, UserRow

_USERS: Final = f"""
SELECT {", ".join(f"t.{name}" for name in USERS.columns)} FROM users t
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON t.tenant = k.tenant AND t.id = k.id
"""  # noqa: S608 - column names from code

_BALANCES: Final = """
SELECT a.tenant, a.holder_id, a.currency,
       sum(a.balance) FILTER (WHERE a.purpose = 'available')::bigint,
       sum(a.balance) FILTER (WHERE a.purpose = 'reserved')::bigint,
       coalesce(sum(a.balance) FILTER (WHERE a.purpose = 'escrow'), 0)::bigint
  FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS u(tenant, id)) AS k
  JOIN accounts a ON a.tenant = k.tenant AND a.holder_id = k.id AND a.is_open
 GROUP BY a.tenant, a.holder_id, a.currency
"""

# A page is read one row too long, which tells whether there is more. Ids sort by time, so the cursor is an id.
_USER_PAGE: Final = f"""
SELECT {USERS.select_list} FROM users
 WHERE tenant = $1 AND ($2::text IS NULL OR id < $2) AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR status = $4)
   AND ($5::text IS NULL OR external_user_id = $5) AND ($6::text IS NULL OR email = $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7) AND ($8::timestamptz IS NULL OR created_at < $8)
 ORDER BY id DESC LIMIT $9
"""  # noqa: S608 - column names from code

_ENTRY_PAGE: Final = """
SELECT e.journal_id, a.purpose, a.currency, j.kind, e.amount, e.balance_after, j.subject, j.description, e.posted_at,
       e.account_id, e.version
  FROM accounts a
  JOIN LATERAL (
       SELECT * FROM entries e WHERE e.tenant = a.tenant AND e.account_id = a.id
          AND ($4::timestamptz IS NULL OR (e.posted_at, e.account_id, e.version) < ($4, $5, $6))
        ORDER BY e.version DESC LIMIT $7) e ON true
  JOIN journals j ON j.tenant = e.tenant AND j.id = e.journal_id
 WHERE a.tenant = $1 AND a.holder_id = $2 AND a.is_open AND a.purpose IN ('available', 'reserved')
   AND ($3::text IS NULL OR a.currency = $3)
 ORDER BY e.posted_at DESC, e.account_id DESC, e.version DESC LIMIT $7
"""

Key = tuple[str, str]


async def users(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, UserRow]:
    """Return the users that exist, by (tenant, id)."""
    records = await pool.fetch(_USERS, [key[0] for key in keys], [key[1] for key in keys])
    rows = [USERS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def balances(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, list[tuple[str, int, int, int]]]:
    """Return (currency, available, reserved, in escrow) in stroops of the users that exist, by (tenant, id)."""
    found: dict[Key, list[tuple[str, int, int, int]]] = defaultdict(list)
    for record in await pool.fetch(_BALANCES, [key[0] for key in keys], [key[1] for key in keys]):
        found[record[0], record[1]].append((record[2], record[3], record[4], record[5]))
    return found


async def user_page(  # noqa: PLR0913 - one argument a filter
    pool: asyncpg.Pool,
    tenant: str,
    *,
    limit: int,
    cursor: str | None,
    user_type: str | None,
    status: str | None,
    external_user_id: str | None,
    email: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> list[UserRow]:
    """Return up to `limit` users, newest first, older than the cursor."""
    records = await pool.fetch(
        _USER_PAGE, tenant, cursor, user_type, status, external_user_id, email, created_after, created_before, limit
    )
    return [USERS.from_record(record) for record in records]


async def entry_page(
    pool: asyncpg.Pool,
    tenant: str,
    user_id: str,
    *,
    limit: int,
    currency: str | None,
    before: tuple[datetime, str, int] | None,
) -> list[Any]:
    """Return up to `limit` entries of a user's accounts, newest first, older than (posted_at, account, version)."""
    at, account_id, version = before or (None, None, None)
    return list(await pool.fetch(_ENTRY_PAGE, tenant, user_id, currency, at, account_id, version, limit))

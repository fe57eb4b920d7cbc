"""What the ledger is asked, in sets: one statement answers a whole frame of questions; lists are read by the page."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final

import asyncpg

from libs.common.contracts.queries.ledger import ListUsers
from libs.common.kernel.money import CURRENCIES
from libs.common.persistence.pages import Bounds, Listing, every, given
from services.ledger.domain.history import Line, Positions
from services.ledger.domain.users import STATUSES, TYPES
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

_ACCOUNTS: Final = """
SELECT k.tenant, k.account, a.currency, a.balance
  FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS u(tenant, account)) AS k
 CROSS JOIN unnest($3::text[]) AS c(currency)
  JOIN accounts a ON a.tenant = k.tenant AND a.id = k.account || ':' || c.currency
"""

_USER_LIST: Final = Listing("users", USERS.select_list, order=("created_at", "id"))

# One scan an account, which starts below the version that the page before ended with.
_LINES: Final = """
SELECT e.account_id, e.version, e.journal_id, e.amount, e.balance_after, e.posted_at
  FROM unnest($2::text[], $3::bigint[]) AS p(id, below) CROSS JOIN LATERAL (
       SELECT * FROM entries e WHERE e.tenant = $1 AND e.account_id = p.id AND e.version < p.below
        ORDER BY e.version DESC LIMIT $4) e
"""
_HEADINGS: Final = """
SELECT j.id, j.kind, j.currency, j.subject, j.description FROM journals j
  JOIN unnest($2::text[]) AS k(id) ON j.tenant = $1 AND j.id = k.id
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


async def account_balances(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, list[tuple[str, int]]]:
    """Return the (currency, stroops) of accounts, by (tenant, account without its currency)."""
    found: defaultdict[Key, list[tuple[str, int]]] = defaultdict(list)
    for tenant, account, currency, balance in await pool.fetch(
        _ACCOUNTS, [key[0] for key in keys], [key[1] for key in keys], CURRENCIES
    ):
        found[tenant, account].append((currency, balance))
    return found


async def user_page(pool: asyncpg.Pool, tenant: str, query: ListUsers, bounds: Bounds) -> list[UserRow] | None:
    """Return a page of users and one more, newest first; None for an unknown cursor."""
    if query.external_user_id is not None:  # at most one user
        known = given(external_user_id=query.external_user_id, email=query.email, status=query.status, type=query.user_type)
        scans = [known]
    else:
        scans = every(
            **({} if query.email is None else {"email": [query.email]}),
            status=STATUSES if query.status is None else [query.status],
            type=TYPES if query.user_type is None else [query.user_type],
        )
    records = await _USER_LIST.read(pool, tenant, scans, bounds)
    return None if records is None else [USERS.from_record(record) for record in records]


async def lines(pool: asyncpg.Pool, tenant: str, positions: Positions, *, limit: int) -> dict[str, list[Line]]:
    """Return up to `limit` entries of each account that has any, newest version first, below its position."""
    found: dict[str, list[Line]] = defaultdict(list)
    for record in await pool.fetch(_LINES, tenant, list(positions), list(positions.values()), limit):
        found[record["account_id"]].append(Line(*record))
    return {account_id: sorted(entries, key=attrgetter("version"), reverse=True) for account_id, entries in found.items()}


async def headings(pool: asyncpg.Pool, tenant: str, journal_ids: Collection[str]) -> dict[str, asyncpg.Record]:
    """Return the kind, currency, subject and description of journals, by id."""
    records = await pool.fetch(_HEADINGS, tenant, sorted(journal_ids))
    return {record["id"]: record for record in records}

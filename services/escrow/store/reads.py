"""What escrow is asked, in sets: one statement answers a whole frame of look-ups."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from services.escrow.domain.orders import Order
from services.escrow.store.rows import ORDERS

Key = tuple[str, str]

_BY_ID: Final = f"""
SELECT {", ".join(f"o.{name}" for name in ORDERS.columns)} FROM orders o
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON o.tenant = k.tenant AND o.id = k.id
"""  # noqa: S608 - column names from code


@dataclass(slots=True)
class Page:
    """The conditions of a page, gathered as SQL with their arguments: only those asked for, so that each finds its index."""

    tenant: str
    conditions: list[str] = field(default_factory=lambda: ["tenant = $1"])
    arguments: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the tenant: there is no page without one."""
        self.arguments = [self.tenant]

    def add(self, condition: str, value: object) -> None:
        """Add a condition with one `{}` for its value, unless the value is None."""
        if value is not None:
            self.arguments.append(value)
            self.conditions.append(condition.format(f"${len(self.arguments)}"))

    @property
    def where(self) -> str:
        """The conditions as a WHERE clause."""
        return " AND ".join(self.conditions)


async def orders(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Order]:
    """Return the orders that exist, by (tenant, id)."""
    wanted = sorted(set(keys))
    records = await pool.fetch(_BY_ID, [key[0] for key in wanted], [key[1] for key in wanted])
    rows = [ORDERS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def order_page(pool: asyncpg.Pool, page: Page, *, user_id: str | None, limit: int) -> list[Order]:
    """Return up to `limit` orders, newest first; with a user, those where it is the buyer or the seller.

    The two roles are two index scans: no order has the same user in both.
    """
    columns, where = ORDERS.select_list, page.where
    newest = f"ORDER BY id DESC LIMIT {limit:d}"
    if user_id is None:
        query = f"SELECT {columns} FROM orders WHERE {where} {newest}"  # noqa: S608 - text from code, values as arguments
        arguments = page.arguments
    else:
        arguments = [*page.arguments, user_id]
        role = f"${len(arguments)}"
        halves = " UNION ALL ".join(
            f"(SELECT {columns} FROM orders WHERE {where} AND {column} = {role} {newest})"  # noqa: S608 - as above
            for column in ("buyer_id", "seller_id")
        )
        query = f"SELECT {columns} FROM ({halves}) AS either {newest}"  # noqa: S608 - as above
    return [ORDERS.from_record(record) for record in await pool.fetch(query, *arguments)]


async def dispute_page(pool: asyncpg.Pool, page: Page, *, limit: int) -> list[Order]:
    """Return up to `limit` disputed orders, the newest dispute first."""
    query = (
        f"SELECT {ORDERS.select_list} FROM orders WHERE dispute_opened_at IS NOT NULL AND {page.where}"  # noqa: S608 - as above
        f" ORDER BY dispute_opened_at DESC, id DESC LIMIT {limit:d}"
    )
    return [ORDERS.from_record(record) for record in await pool.fetch(query, *page.arguments)]

"""What escrow is asked, in sets: one statement answers a whole frame of look-ups; lists are read by the page."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from libs.common.contracts.queries.escrow import ListDisputes, ListOrders
from libs.common.persistence.pages import Bounds, Listing, Scan, every, given
from services.escrow.domain.disputes import SIDES
from services.escrow.domain.orders import Order
from services.escrow.domain.states import DisputeStatus, OrderStatus
from services.escrow.store.rows import ORDERS

Key = tuple[str, str]

_BY_ID: Final = f"""
SELECT {", ".join(f"o.{name}" for name in ORDERS.columns)} FROM orders o
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, id) ON o.tenant = k.tenant AND o.id = k.id
"""  # noqa: S608 - column names from code

# No list shows what was said on a dispute, which can be a hundred times the rest of its order.
_SHOWN: Final = ", ".join("'[]'::jsonb AS comments" if name == "comments" else name for name in ORDERS.columns)
_ORDERS: Final = Listing("orders", _SHOWN, order=("created_at", "id"))
_DISPUTES: Final = Listing("orders", _SHOWN, order=("dispute_opened_at", "id"), where="dispute_opened_at IS NOT NULL")


async def orders(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Order]:
    """Return the orders that exist, by (tenant, id)."""
    wanted = sorted(set(keys))
    records = await pool.fetch(_BY_ID, [key[0] for key in wanted], [key[1] for key in wanted])
    rows = [ORDERS.from_record(record) for record in records]
    return {(row.tenant, row.id): row for row in rows}


async def order_page(pool: asyncpg.Pool, tenant: str, query: ListOrders, bounds: Bounds) -> list[Order] | None:
    """Return a page of orders and one more, newest first, without their comments; None for an unknown cursor."""
    roles = _roles(query.user_id, given(buyer_id=query.buyer_id, seller_id=query.seller_id))
    statuses = every(status=OrderStatus if query.status is None else [query.status])
    scans = [{**role, **status} for role in roles for status in statuses]
    return _read(await _ORDERS.read(pool, tenant, scans, bounds))


async def dispute_page(pool: asyncpg.Pool, tenant: str, query: ListDisputes, bounds: Bounds) -> list[Order] | None:
    """Return a page of disputed orders and one more, the newest dispute first; None for an unknown cursor."""
    if query.order_id is not None:
        kinds = [given(id=query.order_id, dispute_status=query.status, dispute_opened_by=query.opened_by)]
    else:
        kinds = every(
            dispute_status=DisputeStatus if query.status is None else [query.status],
            dispute_opened_by=SIDES if query.opened_by is None else [query.opened_by],
        )
    scans = [{**role, **kind} for role in _roles(query.user_id, {}) for kind in kinds]
    return _read(await _DISPUTES.read(pool, tenant, scans, bounds))


def _roles(user_id: str | None, parties: Scan) -> list[Scan]:
    """Narrow the parties down to orders that a user is in, as the buyer or as the seller: nobody is both."""
    if user_id is None:
        return [parties]
    return [{**parties, role: user_id} for role in ("buyer_id", "seller_id") if parties.get(role, user_id) == user_id]


def _read(records: list[Any] | None) -> list[Order] | None:
    return None if records is None else [ORDERS.from_record(record) for record in records]

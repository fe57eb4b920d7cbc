"""What a page costs: the rows it shows and a handful more, on the first page and the last, with any filter.

Counted by Postgres (EXPLAIN ANALYZE) on the statements that the services run, among thousands of rows of three tenants, arranged
so that a wrong index would come by all of them: what is filtered for is the oldest, and two who trade with everybody have hardly
traded with each other.
"""

from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.queries.escrow import ListDisputes, ListOrders
from libs.common.kernel.ids import Tenant
from libs.common.messaging.queries import Asked, Reader
from services.escrow.domain.orders import Order
from services.escrow.handlers import read_disputes, read_orders
from services.escrow.store.rows import ORDERS
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.costs import LIMIT, Listed, analyze, is_cheap_page, three_tenants
from tests.support.lists import at
from tests.support.plans import Explaining

pytestmark = pytest.mark.integration

ROWS = 2_000


def _orders(tenant: Tenant) -> list[Order]:
    """The oldest have the rare statuses and the one trade between the giants, everything after that is closed."""
    rare = ("IN_PROGRESS", "FUNDS_RESERVED", "ESCROW_FUNDING", "ORDER_CREATED")
    made = [
        lists.order(
            tenant,
            at(place // 2),
            rare[place % 4] if place < 30 else "CLOSED",
            buyer_id="usr_giantb" if place % 2 or place == 20 else f"usr_b{place % 50}",
            seller_id="usr_giants" if place % 2 == 0 else f"usr_s{place % 50}",
        )
        for place in range(ROWS)
    ]
    contests = [
        lists.disputed(
            tenant,
            at(3_600 + place // 2),
            "RESOLVED" if place > 12 else ("OPEN", "UNDER_REVIEW")[place % 2],
            "BUYER" if place > 6 else "SELLER",
            buyer_id="usr_giantb" if place % 2 else "usr_b7",
            seller_id="usr_s7" if place % 2 else "usr_giants",
        )
        for place in range(ROWS // 2)
    ]
    return made + contests


ORDER_FILTERS: list[dict[str, Any]] = [
    {},
    *(
        {"status": status}
        for status in ("ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING", "IN_PROGRESS", "DISPUTED", "CLOSED")
    ),
    {"buyer_id": "usr_giantb"},
    {"buyer_id": "usr_giantb", "status": "IN_PROGRESS"},
    {"seller_id": "usr_giants"},
    {"seller_id": "usr_giants", "status": "DISPUTED"},
    {"seller_id": "usr_nobody"},
    {"buyer_id": "usr_giantb", "seller_id": "usr_giants"},
    {"buyer_id": "usr_giantb", "seller_id": "usr_giants", "status": "CLOSED"},
    {"user_id": "usr_giantb"},
    {"user_id": "usr_giants", "status": "FUNDS_RESERVED"},
    {"user_id": "usr_giants", "buyer_id": "usr_giantb"},
    {"user_id": "usr_b7", "buyer_id": "usr_giantb"},
    {"user_id": "usr_b8", "buyer_id": "usr_b10", "seller_id": "usr_giants"},
    {"created_before": at(10).isoformat()},
    {"created_before": at(10).isoformat(), "status": "CLOSED"},
    {"created_after": at(980).isoformat(), "user_id": "usr_giants"},
    {"created_after": at(3).isoformat(), "created_before": at(9).isoformat(), "buyer_id": "usr_giantb"},
    {"created_after": at(5_000).isoformat()},
]


def _is_order(filters: dict[str, Any]) -> Callable[[Order], bool]:
    def fits(order: Order) -> bool:
        return (
            filters.get("status", order.status) == order.status
            and filters.get("buyer_id", order.buyer_id) == order.buyer_id
            and filters.get("seller_id", order.seller_id) == order.seller_id
            and filters.get("user_id", order.buyer_id) in (order.buyer_id, order.seller_id)
            and filters.get("created_after", "") <= order.created_at.isoformat()
            and order.created_at.isoformat() < filters.get("created_before", "3000")
        )

    return fits


async def test_a_page_of_orders_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    rows = {tenant: _orders(tenant) for tenant in tenants}
    await lists.put(owner, "escrow", ORDERS, [row for made in rows.values() for row in made])
    await analyze(owner, "escrow.orders")
    async with pool_of("escrow") as pool:
        listed = Listed(read_orders.list_orders, pool, tenants[1], ListOrders)
        newest = sorted(rows[tenants[1]], key=lambda order: (order.created_at, order.id), reverse=True)
        for filters in ORDER_FILTERS:
            await listed.is_cheap(filters, [order.id for order in newest if _is_order(filters)(order)])


DISPUTE_FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in ("OPEN", "UNDER_REVIEW", "RESOLVED")),
    {"opened_by": "SELLER"},
    {"opened_by": "SELLER", "status": "RESOLVED"},
    {"user_id": "usr_giantb"},
    {"user_id": "usr_giants", "status": "OPEN"},
    {"user_id": "usr_b7", "opened_by": "SELLER"},
    {"user_id": "usr_nobody"},
    {"created_before": at(3_603).isoformat()},
    {"created_after": at(3_601).isoformat(), "created_before": at(3_604).isoformat(), "user_id": "usr_giantb"},
]


def _is_dispute(filters: dict[str, Any]) -> Callable[[Order], bool]:
    def fits(order: Order) -> bool:
        opened = None if order.dispute_opened_at is None else order.dispute_opened_at.isoformat()
        return (
            opened is not None
            and filters.get("status", order.dispute_status) == order.dispute_status
            and filters.get("opened_by", order.dispute_opened_by) == order.dispute_opened_by
            and filters.get("user_id", order.buyer_id) in (order.buyer_id, order.seller_id)
            and filters.get("order_id", order.id) == order.id
            and filters.get("created_after", "") <= opened < filters.get("created_before", "3000")
        )

    return fits


async def test_a_page_of_disputes_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    rows = {tenant: _orders(tenant) for tenant in tenants}
    await lists.put(owner, "escrow", ORDERS, [row for made in rows.values() for row in made])
    await analyze(owner, "escrow.orders")
    mine = [order for order in rows[tenants[1]] if order.dispute_opened_at is not None]
    newest = sorted(mine, key=lambda order: (order.dispute_opened_at, order.id), reverse=True)
    one = {"order_id": mine[3].id}
    async with pool_of("escrow") as pool:
        listed = Listed(read_disputes.list_disputes, pool, tenants[1], ListDisputes)
        for filters in (*DISPUTE_FILTERS, one, one | {"user_id": "usr_giantb"}, one | {"status": "RESOLVED"}):
            await listed.is_cheap(filters, [order.dispute_id for order in newest if _is_dispute(filters)(order)])


async def test_plans_that_were_made_on_an_empty_table_are_as_good(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant
) -> None:
    """All but those by both parties, whose index looks better than the buyer's only once the table has been analysed."""
    await owner.execute("TRUNCATE escrow.orders")
    await analyze(owner, "escrow.orders")
    await lists.put(owner, "escrow", ORDERS, _orders(tenant))
    by_one = [filters for filters in ORDER_FILTERS if len(set(filters) & {"buyer_id", "seller_id", "user_id"}) < 2]
    queries: list[tuple[Reader, msgspec.Struct]] = [
        *((read_orders.list_orders, ListOrders(**filters)) for filters in by_one),
        *((read_disputes.list_disputes, ListDisputes(**filters)) for filters in DISPUTE_FILTERS),
    ]
    async with pool_of("escrow") as pool:
        for reader, query in queries:
            explaining = Explaining(pool)
            await reader(explaining, [Asked(tenant, query)])  # type: ignore[arg-type]
            is_cheap_page(explaining.costs, query, shown=LIMIT + 1)

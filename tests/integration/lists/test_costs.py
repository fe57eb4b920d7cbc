"""What a page costs: the rows it shows and a handful more, on the first page and the last, with any filter.

Counted by Postgres (EXPLAIN ANALYZE) on the statements that the services run, among thousands of rows of three tenants, arranged
so that a wrong index would come by all of them: what is filtered for is the oldest.
"""

from typing import Any

import asyncpg
import pytest

from libs.common.contracts.queries.ledger import ListEntries, ListUsers
from libs.common.contracts.queries.webhooks import ListDeliveries, ListEndpoints, ListEvents
from libs.common.contracts.replies.common import Page
from libs.common.kernel.ids import Tenant
from libs.common.messaging.queries import Asked
from libs.common.persistence.pages import Bounds
from services.gateway.store.keys import Keys
from services.ledger.handlers import read_history, readers
from services.ledger.store.rows import ACCOUNTS, ENTRIES, JOURNALS, USERS
from services.webhooks.handlers import readers as webhook_readers
from services.webhooks.store.delivery_rows import DELIVERIES
from services.webhooks.store.endpoint_rows import ENDPOINTS
from services.webhooks.store.log_rows import EVENT_LOG
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.costs import LIMIT, Listed, analyze, is_cheap_page, three_tenants
from tests.support.lists import at
from tests.support.plans import Explaining

pytestmark = pytest.mark.integration

ROWS = 2_000
USER_FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in ("ACTIVE", "SUSPENDED", "PENDING_VERIFICATION")),
    *({"user_type": kind} for kind in ("BUYER", "SELLER", "BOTH")),
    {"user_type": "BUYER", "status": "SUSPENDED"},
    {"email": "everybody@x.io"},
    {"email": "everybody@x.io", "status": "SUSPENDED"},
    {"email": "everybody@x.io", "user_type": "SELLER", "created_before": at(5).isoformat()},
    {"email": "nobody@x.io"},
    {"created_before": at(7).isoformat()},
    {"created_after": at(3).isoformat(), "created_before": at(9).isoformat(), "status": "ACTIVE"},
]


async def test_a_page_of_users_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    rows = {
        tenant: [
            lists.user(
                tenant,
                at(place // 2),
                type=("BUYER", "SELLER")[place % 2] if place < 30 else "BOTH",
                status=("SUSPENDED", "PENDING_VERIFICATION")[place % 2] if place < 20 else "ACTIVE",
                email="everybody@x.io" if place % 3 else None,
            )
            for place in range(ROWS)
        ]
        for tenant in tenants
    }
    await lists.put(owner, "ledger", USERS, [row for made in rows.values() for row in made])
    await analyze(owner, "ledger.users")
    newest = sorted(rows[tenants[1]], key=lambda user: (user.created_at, user.id), reverse=True)
    one = {"external_user_id": newest[-5].external_user_id}
    async with pool_of("ledger") as pool:
        listed = Listed(readers.list_users, pool, tenants[1], ListUsers)
        for filters in (*USER_FILTERS, one, one | {"status": "ACTIVE"}, one | {"email": "everybody@x.io"}):
            expected = [
                user.id
                for user in newest
                if filters.get("status", user.status) == user.status
                and filters.get("user_type", user.type) == user.type
                and filters.get("email", user.email) == user.email
                and filters.get("external_user_id", user.external_user_id) == user.external_user_id
                and filters.get("created_after", "") <= user.created_at.isoformat() < filters.get("created_before", "3000")
            ]
            await listed.is_cheap(filters, expected)


async def test_a_page_of_a_history_reads_a_page_of_each_account(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    names = ["usr_busy", *(f"usr_{number}" for number in range(500))]
    moments = {"available:USD": [at(n) for n in range(ROWS)], "reserved:USD": [at(n + 0.5) for n in range(0, ROWS, 50)]}
    accounts, journals, entries = (
        [*rows] for rows in zip(*(lists.history(tenant, "usr_busy", moments) for tenant in tenants), strict=True)
    )
    for table, parts in ((ACCOUNTS, accounts), (JOURNALS, journals), (ENTRIES, entries)):
        await lists.put(owner, "ledger", table, [row for part in parts for row in part])
    await lists.put(owner, "ledger", USERS, [lists.user(tenant, at(0), id=name) for tenant in tenants for name in names])
    await analyze(owner, "ledger.users", "ledger.accounts", "ledger.journals", "ledger.entries")
    async with pool_of("ledger") as pool:
        for currency in (None, "USD", "XLM"):
            for cursor in (None, "deep", "last"):
                positions = {"deep": (900, 900, 20, 900), "last": (3, 1, 1, 1)}.get(cursor or "")
                text = None
                if positions is not None:
                    numbers = positions if currency is None else positions[::2]
                    text = "ent_" + "_".join(map(str, numbers))
                for is_generic in (False, True):
                    explaining = Explaining(pool, is_generic=is_generic)
                    query = ListEntries("usr_busy", LIMIT, text, currency)
                    [page] = await read_history.list_entries(explaining, [Asked(tenants[1], query)])  # type: ignore[arg-type]
                    assert isinstance(page, Page)
                    assert len(page.data) == (0 if currency == "XLM" else 2 if cursor == "last" else LIMIT)
                    is_cheap_page(explaining.costs, query, shown=LIMIT + 1, tables=5)  # four accounts, and the journals


async def test_a_page_of_deliveries_endpoints_or_events_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    endpoints = {tenant: [lists.endpoint(tenant, at(place)) for place in range(300)] for tenant in tenants}
    events = [lists.event(tenant, position) for tenant in tenants for position in range(1, ROWS + 1)]
    deliveries = {
        tenant: [
            lists.delivery(tenant, target.id, position, ("PENDING", "EXHAUSTED")[position % 2] if position < 15 else "DELIVERED")
            for target in endpoints[tenant][:2]
            for position in range(1, ROWS + 1)
        ]
        for tenant in tenants
    }
    await lists.put(owner, "webhooks", ENDPOINTS, [row for made in endpoints.values() for row in made])
    await lists.put(owner, "webhooks", EVENT_LOG, events)
    await lists.put(owner, "webhooks", DELIVERIES, [row for made in deliveries.values() for row in made])
    await analyze(owner, "webhooks.endpoints", "webhooks.event_log", "webhooks.deliveries")
    mine = tenants[1]
    async with pool_of("webhooks") as pool:
        newest = sorted((row.id for row in endpoints[mine]), reverse=True)
        await Listed(webhook_readers.list_endpoints, pool, mine, ListEndpoints).is_cheap({}, newest)
        target = endpoints[mine][0].id
        listed = Listed(webhook_readers.list_deliveries, pool, mine, ListDeliveries, tables=2)
        for state in (None, "PENDING", "DELIVERED", "EXHAUSTED", "CANCELED"):
            rows = [row for row in deliveries[mine] if row.endpoint_id == target and state in (None, row.state)]
            await listed.is_cheap({"endpoint_id": target, "state": state}, sorted((row.id for row in rows), reverse=True))
        for after in (0, 1_000, ROWS - 5):
            explaining = Explaining(pool)
            [page] = await webhook_readers.list_events(explaining, [Asked(mine, ListEvents(LIMIT, after))])  # type: ignore[arg-type]
            assert isinstance(page, Page)
            assert len(page.data) == min(LIMIT, ROWS - after)
            is_cheap_page(explaining.costs, f"events after {after}", shown=LIMIT + 1)


async def test_a_page_of_api_keys_reads_what_it_shows(owner: asyncpg.Connection, pool_of: OpenPool) -> None:
    tenants = three_tenants()
    keys = {tenant: [lists.api_key(tenant, at(place)) for place in range(500)] for tenant in tenants}
    await lists.put_keys(owner, [key for made in keys.values() for key in made])
    await analyze(owner, "gateway.api_keys")
    newest = sorted((key.id for key in keys[tenants[1]]), reverse=True)
    async with pool_of("gateway") as pool:
        for cursor, first in ((None, 0), (newest[249], 250), (newest[-2], 499)):
            explaining = Explaining(pool, is_generic=first == 250)
            found = await Keys(explaining).page(tenants[1], Bounds(LIMIT, cursor))  # type: ignore[arg-type]
            assert [key.id for key in found] == newest[first : first + LIMIT + 1]
            is_cheap_page(explaining.costs, f"keys after {cursor}", shown=LIMIT + 1)


async def test_plans_that_were_made_on_an_empty_table_are_as_good_for_users(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant
) -> None:
    await owner.execute("TRUNCATE ledger.users")
    await analyze(owner, "ledger.users")
    users = [lists.user(tenant, at(place), email="everybody@x.io") for place in range(ROWS)]
    await lists.put(owner, "ledger", USERS, users)
    async with pool_of("ledger") as pool:
        for filters in USER_FILTERS:
            explaining = Explaining(pool)
            await readers.list_users(explaining, [Asked(tenant, ListUsers(**filters))])  # type: ignore[arg-type]
            is_cheap_page(explaining.costs, filters, shown=LIMIT + 1)

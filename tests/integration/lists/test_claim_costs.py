"""What a claim of due deliveries costs: as much with one delivery waiting as with thousands, in any order.

Counted by Postgres on the statement that dispatchers run. What waits is arranged so that a wrong index would come by all of it:
what may go out is the newest, or comes after everything that may not.
"""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant
from services.webhooks.store import claims, deliveries
from services.webhooks.store.delivery_rows import DELIVERIES, DeliveryRow
from services.webhooks.store.endpoint_rows import ENDPOINTS
from services.webhooks.store.log_rows import EVENT_LOG
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.costs import analyze
from tests.support.dispatching import BEGIN, LEASE, DueTable
from tests.support.plans import Explaining

pytestmark = pytest.mark.integration
ROWS = 2_000
LIMIT = 4


@pytest.fixture
async def table(owner: asyncpg.Connection, tenant: Tenant) -> DueTable:
    """The due table with nothing in it."""
    await owner.execute("DELETE FROM webhooks.deliveries")
    await owner.execute("SET search_path TO webhooks")
    return DueTable(owner, tenant)


async def _endpoints(table: DueTable, count: int) -> list[str]:
    """Endpoints of all kinds."""
    kinds = ("parallel", "fifo", "per_aggregate")
    return [await table.endpoint(kinds[place % 3]) for place in range(count)]


async def _put(owner: asyncpg.Connection, tenant: Tenant, rows: Sequence[DeliveryRow]) -> None:
    events = {row.position: lists.event(tenant, row.position) for row in rows}
    await lists.put(owner, "webhooks", EVENT_LOG, list(events.values()))
    await lists.put(owner, "webhooks", DELIVERIES, rows)
    await owner.execute("UPDATE deliveries SET next_attempt_at = $1 WHERE position < $2", BEGIN + timedelta(days=1), ROWS // 2)
    await analyze(owner, *(f"webhooks.{table}" for table in ("deliveries", "event_log", "endpoints", "gates")))


async def _cost(table: DueTable, pool_of: OpenPool) -> tuple[int, int]:
    async with pool_of("webhooks") as pool:
        found = (0, 0)
        for is_generic in (False, True):
            explaining = Explaining(pool, is_generic=is_generic)
            await DueTable(explaining, table.tenant).claim(limit=LIMIT)  # type: ignore[arg-type] # it reads like a connection
            (cost,) = explaining.costs
            assert cost.statement is claims.CLAIM
            found = max(found[0], cost.rows_read), max(found[1], cost.buffers)
    return found


@pytest.mark.parametrize(
    ("mode", "aggregates", "most"),
    [
        ("parallel", ROWS, 60),
        ("fifo", ROWS, 60),
        ("per_aggregate", 4, 60),
        ("per_aggregate", ROWS, 60 + claims.AGGREGATES_LOOKED_AT),
    ],
)
async def test_a_claim_costs_what_it_takes(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant, table: DueTable, mode: str, aggregates: int, most: int
) -> None:
    endpoint = await table.endpoint(mode)
    deep = [
        lists.delivery(tenant, endpoint, place, "PENDING", moment=BEGIN, aggregate=f"order:{place * aggregates // ROWS:05}")
        for place in range(1, ROWS)
    ]
    await _put(owner, tenant, deep)
    rows, buffers = await _cost(table, pool_of)
    assert rows <= most, f"came by {rows} rows"
    assert buffers <= 8 * most, f"looked at {buffers} blocks"


async def test_a_claim_costs_as_much_as_there_are_endpoints_with_work(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant, table: DueTable
) -> None:
    """Fifty endpoints of all kinds whose first deliveries all wait: a handful of rows for each."""
    made = await _endpoints(table, 50)
    idle = [lists.endpoint(tenant, BEGIN) for _ in range(500)]
    await lists.put(owner, "webhooks", ENDPOINTS, idle)
    await _put(
        owner,
        tenant,
        [
            lists.delivery(tenant, endpoint, place, "PENDING", moment=BEGIN, aggregate=f"order:{place % 3}")
            for endpoint in made
            for place in range(1, ROWS // 20)
        ],
    )
    rows, buffers = await _cost(table, pool_of)
    assert rows <= 10 * len(made), f"came by {rows} rows"
    assert buffers <= 40 * len(made), f"looked at {buffers} blocks"


@pytest.mark.parametrize("mode", ["parallel", "fifo", "per_aggregate"])
async def test_a_table_that_was_never_analysed_costs_no_more(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant, table: DueTable, mode: str
) -> None:
    """As on a new installation: 40 endpoints with work, one of them with half of it, and Postgres never looked at the table."""
    await owner.execute("DELETE FROM pg_statistic WHERE starelid = 'webhooks.deliveries_pending'::regclass")
    made = [await table.endpoint(mode) for _ in range(40)]
    waiting = [
        lists.delivery(
            tenant, made[place % 40 if place % 2 else 0], place, "PENDING", moment=BEGIN, aggregate=f"order:{place % 7}"
        )
        for place in range(1, 4 * ROWS)
    ]
    await lists.put(owner, "webhooks", EVENT_LOG, [lists.event(tenant, row.position) for row in waiting])
    await lists.put(owner, "webhooks", DELIVERIES, waiting)
    async with pool_of("webhooks") as pool:
        assert await deliveries.analyze_due(pool)
        assert not await deliveries.analyze_due(pool)
        explaining = Explaining(pool)
        service = DueTable(explaining, tenant)  # type: ignore[arg-type] # it reads like a connection
        await service.claim(limit=LIMIT, slots=128)
        table.now += 2 * LEASE
        claimed = (await table.claim(limit=LIMIT)).deliveries
        await service.record(claimed[0], "DELIVERED")
    claiming, recording = explaining.costs
    assert claiming.rows_read <= 20 * len(made) * LIMIT, f"came by {claiming.rows_read} rows"
    assert recording.rows_read <= 20, f"came by {recording.rows_read} rows"


async def test_a_table_that_was_empty_when_it_was_looked_at_costs_no_more(
    owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant, table: DueTable
) -> None:
    """As when deliveries pile up where none was before: Postgres expects one row, whichever index it takes."""
    made = await _endpoints(table, 9)
    waiting = [
        lists.delivery(tenant, made[place % 9], place, "PENDING", moment=BEGIN, aggregate=f"order:{place % 7}")
        for place in range(1, ROWS)
    ]
    await _put(owner, tenant, waiting)
    await owner.execute("UPDATE pg_class SET relpages = 1, reltuples = 0 WHERE oid = 'webhooks.deliveries_pending'::regclass")
    rows, buffers = await _cost(table, pool_of)
    assert rows < ROWS // 2, f"came by {rows} rows"
    assert buffers < ROWS, f"looked at {buffers} blocks"

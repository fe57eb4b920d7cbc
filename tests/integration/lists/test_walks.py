"""Walking a list page by page shows each of its rows once and in order, whatever the pages' sizes, also while new rows arrive."""

import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.contracts.queries.escrow import ListDisputes, ListOrders
from libs.common.contracts.queries.ledger import ListEntries, ListUsers
from libs.common.contracts.queries.webhooks import ListDeliveries, ListEndpoints, ListEvents
from libs.common.contracts.replies.common import Page
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.queries import Asked, Reader
from libs.common.persistence.pages import Bounds
from services.escrow.domain.disputes import SIDES
from services.escrow.domain.orders import Order
from services.escrow.domain.states import DisputeStatus
from services.escrow.handlers import read_disputes, read_orders
from services.escrow.store.rows import ORDERS
from services.gateway.store.keys import Keys
from services.ledger.domain.history import Line
from services.ledger.domain.users import STATUSES, TYPES
from services.ledger.handlers import read_history, readers
from services.ledger.store.rows import ACCOUNTS, ENTRIES, JOURNALS, USERS
from services.webhooks.handlers import readers as webhook_readers
from services.webhooks.store.delivery_rows import DELIVERIES
from services.webhooks.store.endpoint_rows import ENDPOINTS
from services.webhooks.store.log_rows import EVENT_LOG
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.lists import at

pytestmark = pytest.mark.integration

Turn = Callable[[str | None, int], Awaitable[tuple[list[str], str | None]]]
"""Asks for a page after a cursor: its ids, and the next cursor if there is more."""
MOMENTS = st.lists(st.integers(0, 5).map(at), max_size=25)
"""Few different ones, so that many rows share theirs."""
SEEDS = st.integers(0, 2**32)
few = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def a_tenant() -> Tenant:
    return Tenant(f"{new_id('req')}:live")


def turning(reader: Reader, pool: asyncpg.Pool, tenant: Tenant, make: Callable[[str | None, int], msgspec.Struct]) -> Turn:
    """Turn the pages of a list that a service answers with."""

    async def turn(cursor: str | None, limit: int) -> tuple[list[str], str | None]:
        [page] = await reader(pool, [Asked(tenant, make(cursor, limit))])
        assert isinstance(page, Page), page
        assert page.has_more is (page.next_cursor is not None)
        return [msgspec.json.decode(item)["id"] for item in page.data], page.next_cursor

    return turn


async def walk(turn: Turn, dice: random.Random, meanwhile: Callable[[], Awaitable[None]] | None = None) -> list[str]:
    """Turn every page, each of another size; between two of them something else may happen."""
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(200):
        limit = dice.choice([1, 2, 3, 7, 100])
        ids, cursor = await turn(cursor, limit)
        assert len(ids) <= limit
        seen += ids
        if cursor is None:
            return seen
        assert len(ids) == limit, "a page that is not the last is full"
        if meanwhile is not None:
            await meanwhile()
    message = "the walk does not end"
    raise AssertionError(message)


def _newest_first(rows: Sequence[Any], key: str = "created_at") -> list[str]:
    return [row.id for row in sorted(rows, key=lambda row: (getattr(row, key), row.id), reverse=True)]


def _all_of(seen: Sequence[str], before: Sequence[str], after: Sequence[str]) -> None:
    """Each row that was there at the start, once; rows that came meanwhile at most once; all in the order of the list."""
    assert len(set(seen)) == len(seen)
    assert [name for name in seen if name in set(before)] == list(before)
    assert [name for name in after if name in set(seen)] == list(seen)


@few
@given(moments=MOMENTS, arriving=MOMENTS, seed=SEEDS)
async def test_orders(
    owner: asyncpg.Connection, pool_of: OpenPool, moments: list[datetime], arriving: list[datetime], seed: int
) -> None:
    tenant, dice, arrivals = a_tenant(), random.Random(seed), iter(arriving)
    filters: dict[str, Any] = dice.choice(
        [{}, {"status": "CLOSED"}, {"user_id": "usr_1"}, {"user_id": "usr_1", "status": "CLOSED"}]
    )

    def made(moment: datetime) -> Order:
        buyer, seller = dice.sample(["usr_1", "usr_2", "usr_3"], 2)
        return lists.order(
            tenant, moment, dice.choice(["ORDER_CREATED", "IN_PROGRESS", "CLOSED"]), buyer_id=buyer, seller_id=seller
        )

    def listed(rows: Sequence[Order]) -> list[str]:
        fitting = [row for row in rows if filters.get("status", row.status) == row.status]
        return _newest_first([row for row in fitting if filters.get("user_id", row.buyer_id) in (row.buyer_id, row.seller_id)])

    rows = [made(moment) for moment in moments]
    await lists.put(owner, "escrow", ORDERS, rows)
    before = listed(rows)

    async def one_more() -> None:
        new = [made(moment) for moment in itertools.islice(arrivals, 1)]
        rows.extend(new)
        await lists.put(owner, "escrow", ORDERS, new)

    async with pool_of("escrow") as pool:
        turn = turning(read_orders.list_orders, pool, tenant, lambda cursor, limit: ListOrders(limit, cursor, **filters))
        _all_of(await walk(turn, dice, one_more), before, listed(rows))


@few
@given(moments=MOMENTS, arriving=MOMENTS, seed=SEEDS)
async def test_disputes(
    owner: asyncpg.Connection, pool_of: OpenPool, moments: list[datetime], arriving: list[datetime], seed: int
) -> None:
    tenant, dice, arrivals = a_tenant(), random.Random(seed), iter(arriving)
    filters: dict[str, Any] = dice.choice([{}, {"status": "OPEN"}, {"opened_by": "SELLER"}, {"user_id": "usr_b"}])

    def made(moment: datetime) -> Order:
        return lists.disputed(tenant, moment, dice.choice(list(DisputeStatus)), dice.choice(SIDES))

    def listed(rows: Sequence[Order]) -> list[str]:
        fitting = [row for row in rows if filters.get("status", row.dispute_status) == row.dispute_status]
        mine = [row for row in fitting if filters.get("opened_by", row.dispute_opened_by) == row.dispute_opened_by]
        return [name.replace("ord_", "dsp_") for name in _newest_first(mine, "dispute_opened_at")]

    rows = [made(moment) for moment in moments]
    await lists.put(owner, "escrow", ORDERS, [*rows, lists.order(tenant, at(3))])
    before = listed(rows)

    async def one_more() -> None:
        new = [made(moment) for moment in itertools.islice(arrivals, 1)]
        rows.extend(new)
        await lists.put(owner, "escrow", ORDERS, new)

    async with pool_of("escrow") as pool:
        turn = turning(read_disputes.list_disputes, pool, tenant, lambda cursor, limit: ListDisputes(limit, cursor, **filters))
        _all_of(await walk(turn, dice, one_more), before, listed(rows))


@few
@given(moments=MOMENTS, arriving=MOMENTS, seed=SEEDS)
async def test_users(
    owner: asyncpg.Connection, pool_of: OpenPool, moments: list[datetime], arriving: list[datetime], seed: int
) -> None:
    tenant, dice, arrivals = a_tenant(), random.Random(seed), iter(arriving)
    filters: dict[str, Any] = dice.choice([{}, {"status": "ACTIVE"}, {"type": "BOTH"}, {"email": "a@x.io"}])

    def made(moment: datetime) -> Any:
        email = dice.choice([None, "a@x.io", "b@x.io"])
        return lists.user(tenant, moment, status=dice.choice(STATUSES), type=dice.choice(TYPES), email=email)

    def listed(rows: Sequence[Any]) -> list[str]:
        return _newest_first([row for row in rows if all(getattr(row, name) == value for name, value in filters.items())])

    rows = [made(moment) for moment in moments]
    await lists.put(owner, "ledger", USERS, rows)
    before = listed(rows)

    async def one_more() -> None:
        new = [made(moment) for moment in itertools.islice(arrivals, 1)]
        rows.extend(new)
        await lists.put(owner, "ledger", USERS, new)

    asked = {"user_type" if name == "type" else name: value for name, value in filters.items()}
    async with pool_of("ledger") as pool:
        turn = turning(readers.list_users, pool, tenant, lambda cursor, limit: ListUsers(limit, cursor, **asked))
        _all_of(await walk(turn, dice, one_more), before, listed(rows))


@few
@given(
    posted=st.fixed_dictionaries(dict.fromkeys(("available:USD", "reserved:USD", "available:XLM", "reserved:XLM"), MOMENTS)),
    seed=SEEDS,
    currency=st.sampled_from([None, "USD", "XLM"]),
)
async def test_a_history(
    owner: asyncpg.Connection, pool_of: OpenPool, posted: dict[str, list[datetime]], seed: int, currency: str | None
) -> None:
    """Versions of an account in their order, although their times are in any; what is posted meanwhile is not shown."""
    tenant, dice = a_tenant(), random.Random(seed)
    accounts, journals, entries = lists.history(tenant, "usr_1", posted)
    await lists.put(owner, "ledger", USERS, [lists.user(tenant, at(0), id="usr_1")])
    for table, rows in ((ACCOUNTS, accounts), (JOURNALS, journals), (ENTRIES, entries)):
        await lists.put(owner, "ledger", table, rows)
    versions = {account.id: account.version for account in accounts}

    async def one_more() -> None:
        account = dice.choice(accounts)
        versions[account.id] += 1
        moment = at(dice.randint(0, 9))
        new = lists.history(tenant, "usr_1", {f"{account.purpose}:{account.currency}": [moment]})
        entry = msgspec.structs.replace(new[2][0], version=versions[account.id])
        await lists.put(owner, "ledger", JOURNALS, new[1])
        await lists.put(owner, "ledger", ENTRIES, [entry])

    async with pool_of("ledger") as pool:
        turn = turning(
            read_history.list_entries, pool, tenant, lambda cursor, limit: ListEntries("usr_1", limit, cursor, currency)
        )
        seen = await walk(turn, dice, one_more)
    shown = [entry for entry in entries if currency in (None, entry.account_id.rsplit(":", 1)[1])]
    assert sorted(seen) == sorted(_entry_id(entry) for entry in shown)
    for account in accounts:
        mine = [name for name in seen if name.endswith(account.id)]
        assert mine == [_entry_id(entry) for entry in reversed(entries) if entry.account_id == account.id][: len(mine)]
    if all(times == sorted(times) for times in posted.values()):
        ordered = sorted(shown, key=lambda entry: (entry.posted_at, entry.account_id, entry.version), reverse=True)
        assert seen == [_entry_id(entry) for entry in ordered]


def _entry_id(entry: Any) -> str:
    line = Line(entry.account_id, entry.version, entry.journal_id, entry.amount, entry.balance_after, entry.posted_at)
    return read_history.entry_id(line)


@few
@given(count=st.integers(0, 20), seed=SEEDS)
async def test_endpoints_deliveries_events_and_keys(owner: asyncpg.Connection, pool_of: OpenPool, count: int, seed: int) -> None:
    tenant, dice = a_tenant(), random.Random(seed)
    endpoints = [lists.endpoint(tenant, at(place)) for place in range(count + 1)]
    events = [lists.event(tenant, position) for position in range(1, count + 1)]
    target = endpoints[0].id
    states = ["PENDING", "DELIVERED", "EXHAUSTED"]
    deliveries = [lists.delivery(tenant, target, event.position, dice.choice(states)) for event in events]
    keys = [lists.api_key(tenant, at(place)) for place in range(count)]
    for table, rows in ((ENDPOINTS, endpoints), (EVENT_LOG, events), (DELIVERIES, deliveries)):
        await lists.put(owner, "webhooks", table, rows)
    await lists.put_keys(owner, keys)
    state = dice.choice([None, *states])
    async with pool_of("webhooks") as pool:
        of_endpoints = turning(webhook_readers.list_endpoints, pool, tenant, lambda cursor, limit: ListEndpoints(limit, cursor))
        assert await walk(of_endpoints, dice) == sorted((row.id for row in endpoints), reverse=True)
        of_deliveries = turning(
            webhook_readers.list_deliveries, pool, tenant, lambda cursor, limit: ListDeliveries(target, limit, cursor, state)
        )
        wanted = [row.id for row in deliveries if state in (None, row.state)]
        assert await walk(of_deliveries, dice) == sorted(wanted, reverse=True)
        of_events = turning(webhook_readers.list_events, pool, tenant, lambda cursor, limit: ListEvents(limit, int(cursor or 0)))
        assert await walk(of_events, dice) == ["e"] * count
    async with pool_of("gateway") as pool:

        async def turn(cursor: str | None, limit: int) -> tuple[list[str], str | None]:
            found = [key.id for key in await Keys(pool).page(tenant, Bounds(limit, cursor))]
            return found[:limit], found[limit - 1] if len(found) > limit else None

        assert await walk(turn, dice) == sorted((key.id for key in keys), reverse=True)

"""What a list takes as a cursor, and that it misses no row for the value of a column."""

import re
from collections.abc import Sequence
from typing import get_args

import asyncpg
import msgspec
import pytest

from libs.common.contracts.commands.ledger import WantedStatus
from libs.common.contracts.queries.escrow import ListDisputes, ListOrders
from libs.common.contracts.queries.ledger import ListEntries, ListUsers
from libs.common.contracts.replies.common import Page
from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.queries import Answers, Asked
from services.escrow.domain.disputes import SIDES
from services.escrow.domain.states import DisputeStatus, OrderStatus
from services.escrow.handlers import read_disputes, read_orders
from services.escrow.store.rows import ORDERS
from services.ledger.domain.users import STATUSES, TYPES
from services.ledger.handlers import read_history, readers
from services.ledger.store.rows import USERS
from tests.integration.lists.conftest import OpenPool
from tests.support import lists
from tests.support.lists import at

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("cursor", ["ord_nowhere", "usr_nowhere"])
async def test_a_cursor_that_names_nothing_and_one_of_another_tenant_are_refused_alike(
    owner: asyncpg.Connection, pool_of: OpenPool, cursor: str
) -> None:
    mine, other = (Tenant(f"{new_id('req')}:live") for _ in range(2))
    theirs, plain = lists.disputed(other, at(1)), lists.order(mine, at(1))
    await lists.put(owner, "escrow", ORDERS, [theirs, plain, lists.disputed(mine, at(0))])
    user = lists.user(other, at(1))
    await lists.put(owner, "ledger", USERS, [user])
    refusals: Answers = []
    async with pool_of("escrow") as escrow, pool_of("ledger") as ledger:
        for name in (cursor, theirs.id, theirs.dispute_id):
            refusals = [*refusals, *await read_orders.list_orders(escrow, [Asked(mine, ListOrders(cursor=name))])]
        for name in (cursor, theirs.dispute_id, plain.dispute_id):
            refusals = [*refusals, *await read_disputes.list_disputes(escrow, [Asked(mine, ListDisputes(cursor=name))])]
        for name in (cursor, user.id):
            refusals = [*refusals, *await readers.list_users(ledger, [Asked(mine, ListUsers(cursor=name))])]
    assert {msgspec.json.encode(refusal) for refusal in refusals} == {msgspec.json.encode(refusals[0])}
    assert isinstance(refusals[0], Refusal)
    assert refusals[0].details == {"fields": [{"field": "cursor", "message": "no such item in this list"}]}


async def test_a_cursor_of_another_history_is_refused(owner: asyncpg.Connection, pool_of: OpenPool, tenant: Tenant) -> None:
    await lists.put(owner, "ledger", USERS, [lists.user(tenant, at(0), id="usr_1")])
    async with pool_of("ledger") as pool:
        for cursor, currency in (
            ("ent_1_1", None),
            ("ent_1_1_1_1", "USD"),
            ("ent_1_1_1_9999999999999999999", None),
            ("usr_1", None),
        ):
            [refused] = await read_history.list_entries(pool, [Asked(tenant, ListEntries("usr_1", 20, cursor, currency))])
            assert isinstance(refused, Refusal), cursor
            assert refused.details["fields"][0]["field"] == "cursor"
        [nobody] = await read_history.list_entries(pool, [Asked(tenant, ListEntries("usr_2"))])
        [empty] = await read_history.list_entries(pool, [Asked(tenant, ListEntries("usr_1"))])
    assert isinstance(nobody, Refusal)
    assert nobody.code == "USER_NOT_FOUND"
    assert empty == Page(())


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("escrow.orders", "status", OrderStatus),
        ("escrow.orders", "dispute_status", DisputeStatus),
        ("escrow.orders", "dispute_opened_by", SIDES),
        ("ledger.users", "status", STATUSES),
        ("ledger.users", "type", TYPES),
    ],
)
async def test_lists_are_merged_from_a_scan_for_every_value_that_the_table_allows(
    owner: asyncpg.Connection, table: str, column: str, values: Sequence[str]
) -> None:
    query = """SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid
                WHERE c.conrelid = $1::regclass AND a.attname = $2 AND c.conkey = ARRAY[a.attnum] AND c.contype = 'c'"""
    [allowed] = [row[0] for row in await owner.fetch(query, table, column)]
    assert set(re.findall(r"'(\w+)'::text", allowed)) == set(values)
    assert set(get_args(WantedStatus)) <= set(STATUSES)

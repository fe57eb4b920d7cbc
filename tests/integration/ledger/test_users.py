"""Users change one change at a time, whoever else changes them, and every change is told once."""

import asyncio

import pytest

from libs.common.contracts.commands.ledger import OpenUser, UpdateUser
from libs.common.contracts.queries.ledger import GetUser
from libs.common.kernel.ids import new_id
from libs.common.settings import ServiceSettings
from tests.support.market import Market, Refused
from tests.support.oracles import books_hold

pytestmark = pytest.mark.integration


async def test_changes_of_one_user_by_many_at_once_are_all_made_and_numbered(market: Market, config: ServiceSettings) -> None:
    """Two clients, since one would put what it asks at the same time into one frame, for one process."""
    async with market.ledger(), market.ledger(), Market.on(config) as other:
        other.tenant = market.tenant
        user_id = await market.user()

        async def change(asker: Market, numbers: range) -> None:
            for number in numbers:
                await asker.do(UpdateUser(user_id, metadata={f"k{number}": number}), service="ledger")

        await asyncio.gather(*(change((market, other)[start % 2], range(start, 48, 4)) for start in range(4)))
        user = await market.query(GetUser(user_id), "ledger")
    assert user["metadata"] == {f"k{number}": number for number in range(48)}
    told = await market.told(f"user:{user_id}")
    assert told == ["user.created"] + ["user.updated"] * 48


async def test_a_change_is_seen_by_whoever_asks_next_and_repeated_it_is_the_same(market: Market) -> None:
    async with market.ledger():
        user_id = await market.user()
        suspended = await market.do(UpdateUser(user_id, status="SUSPENDED", email="a@x.io"), "cmd_once", service="ledger")
        assert (suspended["status"], suspended["email"]) == ("SUSPENDED", "a@x.io")
        assert await market.query(GetUser(user_id), "ledger") == suspended
        activated = await market.do(UpdateUser(user_id, status="ACTIVE"), service="ledger")
        assert await market.do(UpdateUser(user_id, status="SUSPENDED", email="a@x.io"), "cmd_once", service="ledger") == suspended
        assert await market.query(GetUser(user_id), "ledger") == activated
        known = await market.do(OpenUser(new_id("usr"), activated["external_user_id"]), service="ledger")
        assert (known["user"], known["created"]) == (activated, False)
    assert await market.told(f"user:{user_id}") == ["user.created", "user.updated", "user.suspended", "user.activated"]
    await books_hold(market.owner)


async def test_a_user_of_another_tenant_is_not_there(market: Market) -> None:
    async with market.ledger():
        user_id = await market.user()
        mine = await market.query(GetUser(user_id), "ledger")
        own, market.tenant = market.tenant, type(market.tenant)("another:live")
        with pytest.raises(Refused) as refused:
            await market.do(UpdateUser(user_id, status="SUSPENDED"), service="ledger")
        assert refused.value.code == "USER_NOT_FOUND"
        market.tenant = own
        assert await market.query(GetUser(user_id), "ledger") == mine

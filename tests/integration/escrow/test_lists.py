"""Lists and look-ups: whose, in which state, since when, page by page."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.commands.escrow import AssignDispute, CancelOrder, OpenDispute
from libs.common.contracts.queries.escrow import (
    GetDispute,
    GetEscrow,
    GetOrder,
    ListComments,
    ListDisputes,
    ListMilestones,
    ListOrders,
)
from tests.support.market import Market, Refused

pytestmark = pytest.mark.integration


async def _ids(market: Market, query: msgspec.Struct) -> list[str]:
    return [item["id"] for item in (await market.query(query))["data"]]


async def test_orders_are_found_by_party_state_and_time_newest_first(market: Market) -> None:
    async with market.open():
        one, two, three = [await market.user() for _ in range(3)]
        first, second = await market.order(one, two), await market.order(two, one)
        third, fourth = await market.order(two, three), await market.order(one, two)
        await market.do(CancelOrder(second))
        assert await _ids(market, ListOrders()) == [fourth, third, second, first]
        assert await _ids(market, ListOrders(buyer_id=one)) == [fourth, first]
        assert await _ids(market, ListOrders(buyer_id=one, seller_id=two)) == [fourth, first]
        assert await _ids(market, ListOrders(buyer_id=one, seller_id=three)) == []
        assert await _ids(market, ListOrders(user_id=one)) == [fourth, second, first]
        assert await _ids(market, ListOrders(user_id=one, status="CLOSED")) == [second]
        assert await _ids(market, ListOrders(status="ORDER_CREATED", seller_id=three)) == [third]
        at = (await market.row(third))["created_at"]
        assert await _ids(market, ListOrders(created_after=at.isoformat())) == [fourth, third]
        assert await _ids(market, ListOrders(created_before=at.isoformat())) == [second, first]
        assert await _ids(market, ListOrders(created_after=f"{at + timedelta(days=1):%Y-%m-%d}")) == []


async def test_pages_follow_each_other_without_gap_or_overlap(market: Market) -> None:
    async with market.open():
        one, two = await market.user(), await market.user()
        orders = [await market.order(*((one, two) if number % 2 else (two, one))) for number in range(7)]
        for filters in ({}, {"user_id": one}):
            pages: list[dict[str, Any]] = []
            cursor = None
            while not pages or pages[-1]["has_more"]:
                pages.append(await market.query(ListOrders(limit=3, cursor=cursor, **filters)))
                cursor = pages[-1]["next_cursor"]
            assert [len(page["data"]) for page in pages] == [3, 3, 1]
            assert [item["id"] for page in pages for item in page["data"]] == orders[::-1]
            assert cursor is None


async def test_disputes_are_listed_by_when_they_were_opened(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(balance=300), await market.user()
        orders = [await market.order_at("IN_PROGRESS", buyer, seller) for _ in range(3)]
        opened = [(await market.do(OpenDispute(orders[place], side)))["id"] for place, side in ((2, "BUYER"), (0, "SELLER"))]
        await market.do(AssignDispute(opened[0], "agent"))
        assert await _ids(market, ListDisputes()) == opened[::-1]
        assert await _ids(market, ListDisputes(limit=1)) == [opened[1]]
        assert await _ids(market, ListDisputes(limit=1, cursor=opened[1])) == [opened[0]]
        assert await _ids(market, ListDisputes(status="UNDER_REVIEW")) == [opened[0]]
        assert await _ids(market, ListDisputes(opened_by="SELLER")) == [opened[1]]
        assert await _ids(market, ListDisputes(order_id=orders[2])) == [opened[0]]
        assert await _ids(market, ListDisputes(user_id=seller)) == opened[::-1]
        assert await _ids(market, ListDisputes(user_id="usr_else")) == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (GetOrder("ord_none"), "ORDER_NOT_FOUND"),
        (ListMilestones("ord_none"), "ORDER_NOT_FOUND"),
        (GetEscrow("ord_none"), "ORDER_NOT_FOUND"),
        (GetDispute("dsp_none"), "DISPUTE_NOT_FOUND"),
        (ListComments("nonsense"), "DISPUTE_NOT_FOUND"),
        (ListOrders(status="LOST"), "VALIDATION_ERROR"),
        (ListOrders(limit=0), "VALIDATION_ERROR"),
        (ListOrders(limit=101), "VALIDATION_ERROR"),
        (ListOrders(created_after="yesterday"), "VALIDATION_ERROR"),
        (ListDisputes(status="CLOSED"), "VALIDATION_ERROR"),
        (ListDisputes(created_before="2026-13-01"), "VALIDATION_ERROR"),
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_refused(market: Market, query: msgspec.Struct, code: str) -> None:
    async with market.escrow():
        with pytest.raises(Refused) as refused:
            await market.query(query)
        assert refused.value.code == code


async def test_an_order_without_an_escrow_or_of_another_tenant_shows_none(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(), await market.user()
        order_id = await market.order(buyer, seller)
        with pytest.raises(Refused) as refused:
            await market.query(GetEscrow(order_id))
        assert refused.value.code == "ESCROW_NOT_FOUND"
        for query in (GetDispute(order_id.replace("ord_", "dsp_")), GetDispute(order_id)):
            with pytest.raises(Refused) as refused:
                await market.query(query)
            assert refused.value.code == "DISPUTE_NOT_FOUND"
        market.tenant = type(market.tenant)("another:live")
        with pytest.raises(Refused) as refused:
            await market.query(GetOrder(order_id))
        assert refused.value.code == "ORDER_NOT_FOUND"

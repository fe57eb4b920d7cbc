"""Many at once on one buyer or one order: what was there is moved once, and everybody hears how it ended."""

import asyncio

import pytest

from libs.common.contracts.commands.escrow import CancelOrder, OpenDispute, RefundOrder, ReleaseOrder, ReserveOrder
from tests.support.market import Market, codes
from tests.support.oracles import books_hold

pytestmark = pytest.mark.integration


async def test_fifty_orders_and_money_for_ten(market: Market) -> None:
    async with market.open(), market.escrow():
        buyer, seller = await market.user(balance=100), await market.user()
        orders = await asyncio.gather(*(market.order(buyer, seller, 10) for _ in range(50)))
        outcomes = await codes([market.do(ReserveOrder(order_id)) for order_id in orders])
        assert outcomes == ["INSUFFICIENT_FUNDS"] * 40 + ["ok"] * 10
        assert await market.balance(buyer) == ("0.00", "100.00")
        rows = [await market.row(order_id) for order_id in orders]
        refused = [row["id"] for row in rows if row["status"] == "ORDER_CREATED"]
        assert len(refused) == 40
        assert all(row["pending"] is None for row in rows)
        await market.credit(buyer, 10)
        assert (await market.do(ReserveOrder(refused[0])))["status"] == "FUNDS_RESERVED"
    assert await market.events(refused[0]) == ["order.created", "order.funds_reserved"]
    await books_hold(market.owner)


async def test_twenty_reserves_of_one_order_are_one(market: Market) -> None:
    async with market.open(), market.escrow():
        buyer, seller = await market.user(balance=1_000), await market.user()
        order_id = await market.order(buyer, seller)
        outcomes = await codes([market.do(ReserveOrder(order_id)) for _ in range(20)])
        assert outcomes == ["INVALID_STATE"] * 19 + ["ok"]
        assert await market.balance(buyer) == ("900.00", "100.00")
        assert await market.journals(order_id) == ["reserve"]


async def test_release_refund_dispute_and_cancel_at_one_instant_have_one_winner(market: Market) -> None:
    async with market.open(), market.escrow():
        buyer, seller = await market.user(balance=80), await market.user()
        for _ in range(8):
            order_id = await market.order_at("IN_PROGRESS", buyer, seller, 10)
            rivals = (ReleaseOrder(order_id), RefundOrder(order_id), OpenDispute(order_id, "BUYER"), CancelOrder(order_id))
            outcomes = await codes([market.do(rival) for rival in rivals])
            assert outcomes.count("ok") == 1
            assert set(outcomes) <= {"ok", "INVALID_STATE", "DISPUTE_ALREADY_OPEN"}
            moves = set(await market.journals(order_id)) - {"fund", "reserve"}
            disputed = (await market.row(order_id))["status"] == "DISPUTED"
            assert len(moves) == (0 if disputed else 1)
    await books_hold(market.owner)

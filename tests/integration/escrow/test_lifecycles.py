"""Orders from beginning to end, on the real ledger: who has what in the end, and what was told on the way."""

import asyncio
from typing import Any

import msgspec
import pytest

from libs.common.contracts.commands.escrow import (
    AssignDispute,
    CancelOrder,
    CommentDispute,
    CompleteMilestone,
    CreateEscrow,
    CreateOrder,
    FundEscrow,
    NewMilestone,
    OpenDispute,
    RefundOrder,
    ReleaseOrder,
    ReserveOrder,
    ResolveDispute,
)
from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.contracts.events.ledger import UserCreated, UserStatusChanged
from libs.common.contracts.queries.escrow import GetDispute, GetEscrow, GetOrder, ListComments, ListMilestones
from libs.common.kernel.ids import new_id
from libs.common.kernel.money import UNIT
from tests.support.events import event, publish
from tests.support.market import Market, Refused, codes
from tests.support.oracles import books_hold
from tests.support.workers import until

pytestmark = pytest.mark.integration
PARTS = (NewMilestone("m1", "Draft", 60 * UNIT), NewMilestone("m2", "Final", 40 * UNIT, "with sources"))


async def test_an_order_goes_from_the_buyers_balance_through_escrow_to_the_seller_less_the_fee(market: Market) -> None:
    async with market.open(fee_bps=500):
        buyer, seller = await market.user(balance=250), await market.user()
        order_id = await market.order(buyer, seller, milestones=PARTS, client_order_ref="A-1", metadata={"shop": 7})
        reserved = await market.do(ReserveOrder(order_id, 100 * UNIT))
        assert reserved["status"] == "FUNDS_RESERVED"
        assert await market.balance(buyer) == ("150.00", "100.00")
        escrow = await market.do(CreateEscrow(order_id, 100 * UNIT, "USD"))
        assert (escrow["status"], escrow["amount"]) == ("PENDING", "100.00")
        assert (await market.do(FundEscrow(order_id)))["status"] == "FUNDED"
        assert await market.balance(buyer) == ("150.00", "100.00")
        for ref in ("m1", "m2"):
            await market.do(CompleteMilestone(order_id, ref))
        released = await market.do(ReleaseOrder(order_id, requested_by=buyer))
        assert (released["status"], released["released_amount"]) == ("RELEASED", "100.00")
        assert (released["platform_fee"], released["net_amount"]) == ("5.00", "95.00")
        assert await market.balance(buyer) == ("150.00", "0.00")
        assert await market.balance(seller) == ("95.00", "0.00")
        shown = await market.query(GetOrder(order_id))
        assert (shown["status"], shown["final_status"], shown["metadata"]) == ("CLOSED", "RELEASED", {"shop": 7})
        assert shown["escrow"] == released == await market.query(GetEscrow(order_id))
        parts = (await market.query(ListMilestones(order_id)))["data"]
        assert [(part["ref"], part["status"], part["description"]) for part in parts] == [
            ("m1", "COMPLETED", None),
            ("m2", "COMPLETED", "with sources"),
        ]
    assert await market.events(order_id) == [
        "order.created",
        "order.funds_reserved",
        "order.escrow_creating",
        "escrow.created",
        "order.escrow_funding",
        "escrow.funded",
        "order.escrow_funded",
        "order.in_progress",
        "escrow.milestone_completed",
        "escrow.milestone_completed",
        "order.release_requested",
        "escrow.released",
        "order.released",
        "order.closed",
    ]
    await books_hold(market.owner)


@pytest.mark.parametrize(
    ("status", "end", "final", "to_buyer", "to_seller"),
    [
        ("FUNDS_RESERVED", CancelOrder, "CANCELED", "100.00", "0.00"),
        ("ESCROW_FUNDING", CancelOrder, "CANCELED", "100.00", "0.00"),
        ("IN_PROGRESS", RefundOrder, "REFUNDED", "100.00", "0.00"),
        ("IN_PROGRESS", ReleaseOrder, "RELEASED", "0.00", "100.00"),
    ],
)
async def test_every_end_leaves_the_money_with_whom_it_says(
    market: Market, status: str, end: Any, final: str, to_buyer: str, to_seller: str
) -> None:
    async with market.open():
        buyer, seller = await market.user(balance=100), await market.user()
        order_id = await market.order_at(status, buyer, seller)
        await market.do(end(order_id))
        assert (await market.row(order_id))["final_status"] == final
        assert await market.balance(buyer) == (to_buyer, "0.00")
        assert await market.balance(seller) == (to_seller, "0.00")
        assert await codes([market.do(end(order_id))]) == ["INVALID_STATE"]
    await books_hold(market.owner)


@pytest.mark.parametrize(
    ("decision", "amounts", "final", "to_buyer", "to_seller"),
    [
        ("FULL_RELEASE", {}, "RELEASED", "0.00", "90.00"),
        ("FULL_REFUND", {}, "REFUNDED", "100.00", "0.00"),
        ("SPLIT", {"release_amount": 333_333_333, "refund_amount": 666_666_667}, "SPLIT", "66.6666667", "30.00"),
        ("SPLIT", {"release_amount": 0, "refund_amount": 100 * UNIT}, "SPLIT", "100.00", "0.00"),
    ],
)
async def test_a_dispute_is_reviewed_discussed_and_ended_to_the_stroop(
    market: Market, decision: Any, amounts: dict[str, int], final: str, to_buyer: str, to_seller: str
) -> None:
    async with market.open(fee_bps=1_000):
        buyer, seller = await market.user(balance=100), await market.user()
        order_id = await market.order_at("IN_PROGRESS", buyer, seller)
        dispute = await market.do(OpenDispute(order_id, buyer, "NOT_DELIVERED", evidence=("https://x.test/1",)))
        assert (dispute["status"], dispute["opened_by"]) == ("OPEN", "BUYER")
        dispute_id = dispute["id"]
        assert await codes([market.do(ReleaseOrder(order_id))]) == ["DISPUTE_ALREADY_OPEN"]
        assert (await market.do(AssignDispute(dispute_id, "agent_1")))["status"] == "UNDER_REVIEW"
        await market.do(CommentDispute(dispute_id, new_id("cmt"), seller, "it was sent"))
        resolved = await market.do(ResolveDispute(dispute_id, decision, "agent_1", note="seen", **amounts))
        assert (resolved["status"], resolved["decision"], resolved["assigned_to"]) == ("RESOLVED", decision, "agent_1")
        assert resolved == await market.query(GetDispute(dispute_id))
        assert [line["message"] for line in (await market.query(ListComments(dispute_id)))["data"]] == ["it was sent"]
        assert (await market.row(order_id))["final_status"] == final
        assert await market.balance(buyer) == (to_buyer, "0.00")
        assert await market.balance(seller) == (to_seller, "0.00")
    await books_hold(market.owner)


async def test_a_user_who_was_opened_a_moment_ago_can_trade_and_one_who_was_not_can_not(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(), await market.user()
        order_id = await market.order(buyer, seller)
        assert (await market.row(order_id))["buyer_id"] == buyer
        with pytest.raises(Refused) as refused:
            await market.order(buyer, "usr_nobody")
        assert (refused.value.code, refused.value.details) == ("USER_NOT_FOUND", {"field": "seller_id", "user_id": "usr_nobody"})


async def test_users_are_known_from_events_when_the_ledger_is_away(market: Market) -> None:
    async with market.escrow():
        async with market.ledger():
            buyer, seller = await market.user(), await market.user()
            await market.order(buyer, seller)
        order_id = await market.order(seller, buyer)
        assert (await market.row(order_id))["status"] == "ORDER_CREATED"


async def test_a_new_order_with_unknown_parties_waits_for_the_ledger_and_holds_nobody_up(market: Market) -> None:
    async with market.escrow():
        async with market.ledger():
            buyer, seller = await market.user(), await market.user()
            known = await market.order(buyer, seller)
        await market.owner.execute("DELETE FROM escrow.parties WHERE tenant = $1", market.tenant)
    async with market.escrow():
        waiting = asyncio.create_task(market.order(buyer, seller))
        assert (await market.do(CancelOrder(known)))["final_status"] == "CANCELED"
        async with market.ledger():
            order_id = await waiting
    assert (await market.row(order_id))["status"] == "ORDER_CREATED"


async def test_the_ledger_refuses_to_start_what_a_stale_copy_allowed(market: Market) -> None:
    async with market.open():
        for role in (0, 1):
            buyer, seller = await market.user(balance=100), await market.user()
            stuck = await market.order_at("ESCROW_FUNDING", buyer, seller, 40)
            suspended = (buyer, seller)[role]
            await market.do(UpdateUser(suspended, status="SUSPENDED"), service="ledger")
            await until(lambda: market.party_is(suspended, "SUSPENDED"))  # noqa: B023 - awaited at once
            await market.owner.execute("UPDATE escrow.parties SET status = 'ACTIVE' WHERE user_id = $1", suspended)
            order_id = await market.order(buyer, seller, 10)
            for step in (ReserveOrder(order_id), FundEscrow(stuck)):
                with pytest.raises(Refused) as refused:
                    await market.do(step)
                assert (refused.value.code, refused.value.details["user_id"]) == ("USER_INACTIVE", suspended)
            assert (await market.do(CancelOrder(stuck)))["final_status"] == "CANCELED"
            assert await market.balance(buyer) == ("100.00", "0.00")
    await books_hold(market.owner)


async def test_late_and_repeated_events_do_not_turn_a_status_back(market: Market) -> None:
    async with market.open():
        user_id = await market.user()
        await market.do(UpdateUser(user_id, status="SUSPENDED"), service="ledger")
        await until(lambda: market.party_is(user_id, "SUSPENDED"))
        late = [UserCreated(user_id, "e", None, "BOTH", "ACTIVE", {}), UserStatusChanged(user_id, "e", "SUSPENDED", None, "")]
        kinds = ("user.created", "user.suspended")
        for sequence, (kind, data) in enumerate(zip(kinds, late, strict=True), 1):
            again = event(market.tenant, f"user:{user_id}", sequence, kind=kind, data=data)
            repeated = msgspec.structs.replace(again, id=f"{again.id}_again")  # one that no inbox knows
            await publish(market.config, [[repeated], [repeated]])
        await market.do(UpdateUser(user_id, email="last@x.io"), service="ledger")
        await until(lambda: market.party_is(user_id, "SUSPENDED", sequence=3))
        with pytest.raises(Refused) as refused:
            await market.order(user_id, await market.user())
    assert (refused.value.code, refused.value.details["field"]) == ("USER_INACTIVE", "buyer_id")


async def test_a_client_reference_raced_for_names_one_order(market: Market) -> None:
    async with market.open(), market.escrow():
        buyer, seller = await market.user(), await market.user()
        outcomes = await codes([market.order(buyer, seller, client_order_ref="A-1") for _ in range(20)])
        assert outcomes == ["ORDER_ALREADY_EXISTS"] * 19 + ["ok"]
        terms = CreateOrder("ord_again", buyer, seller, UNIT, "USD", "USD", "x", client_order_ref="A-1")
        with pytest.raises(Refused) as refused:
            await market.do(terms)
        first = await market.owner.fetchval("SELECT id FROM escrow.orders WHERE tenant = $1", market.tenant)
        assert refused.value.details["order_id"] == first


async def test_a_repeated_command_is_answered_as_the_first_was(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(balance=100), await market.user()
        order_id = await market.order(buyer, seller)
        first = await market.do(ReserveOrder(order_id), "cmd_once")
        await market.do(CancelOrder(order_id))
        assert await market.do(ReserveOrder(order_id), "cmd_once") == first
        assert await market.balance(buyer) == ("100.00", "0.00")

"""Each command against an order in a chosen state: what it answers, asks of the ledger and announces."""

from typing import Any

import pytest

from libs.common.contracts import accounts
from libs.common.contracts.commands.escrow import (
    AssignDispute,
    CancelOrder,
    CommentDispute,
    CompleteMilestone,
    CreateEscrow,
    FundEscrow,
    OpenDispute,
    RefundOrder,
    ReleaseOrder,
    ReserveOrder,
    ResolveDispute,
)
from libs.common.contracts.commands.ledger import Posting
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import UNIT
from services.escrow.domain.orders import COMMENTS_MAX
from tests.support.orders import BUYER, ORDER_ID, SELLER, TWO_PARTS, WHOLE, Desk, complete_all, desk_at, told

DISPUTE_ID = "dsp_1"
HOLD = accounts.escrow(ORDER_ID)


def resolve(decision: str, **amounts: int) -> ResolveDispute:
    return ResolveDispute(DISPUTE_ID, decision, "agent", note="seen", **amounts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "command", "code", "details"),
    [
        ("ORDER_CREATED", ReserveOrder("ord_none"), "ORDER_NOT_FOUND", {"order_id": "ord_none"}),
        ("ORDER_CREATED", ReserveOrder(ORDER_ID, WHOLE - 1), "RESERVE_MISMATCH_AMOUNT", {"order_amount": "100.00"}),
        ("ORDER_CREATED", CreateEscrow(ORDER_ID, WHOLE, "USD"), "INVALID_STATE", {"allowed_states": ["FUNDS_RESERVED"]}),
        ("ORDER_CREATED", FundEscrow(ORDER_ID), "ESCROW_NOT_FOUND", {}),
        ("FUNDS_RESERVED", ReserveOrder(ORDER_ID), "INVALID_STATE", {"current_state": "FUNDS_RESERVED"}),
        ("FUNDS_RESERVED", CreateEscrow(ORDER_ID, WHOLE + 1, "USD"), "RESERVE_MISMATCH_AMOUNT", {}),
        ("FUNDS_RESERVED", CreateEscrow(ORDER_ID, WHOLE, "XLM"), "INVALID_CURRENCY", {}),
        ("ESCROW_FUNDING", CreateEscrow(ORDER_ID, WHOLE, "USD"), "ESCROW_ALREADY_EXISTS", {"escrow_id": "esc_1"}),
        ("IN_PROGRESS", CancelOrder(ORDER_ID), "INVALID_STATE", {"current_state": "IN_PROGRESS"}),
        ("IN_PROGRESS", CompleteMilestone(ORDER_ID, "m9"), "MILESTONE_NOT_FOUND", {"milestone_ref": "m9"}),
        ("IN_PROGRESS", ReleaseOrder(ORDER_ID), "INVALID_STATE", {"incomplete_milestones": ["m1", "m2"]}),
        ("IN_PROGRESS", ReleaseOrder(ORDER_ID, requested_by=SELLER), "FORBIDDEN_ACTOR", {"actor": SELLER}),
        ("IN_PROGRESS", RefundOrder(ORDER_ID, requested_by="usr_else"), "FORBIDDEN_ACTOR", {"actor": "usr_else"}),
        ("IN_PROGRESS", OpenDispute(ORDER_ID, "usr_else"), "FORBIDDEN_ACTOR", {"actor": "usr_else"}),
        ("IN_PROGRESS", resolve("FULL_REFUND"), "DISPUTE_NOT_FOUND", {"dispute_id": DISPUTE_ID}),
        ("ESCROW_FUNDING", OpenDispute(ORDER_ID, "BUYER"), "INVALID_STATE", {"allowed_states": ["IN_PROGRESS"]}),
        ("DISPUTED", OpenDispute(ORDER_ID, "BUYER"), "DISPUTE_ALREADY_OPEN", {"dispute_id": DISPUTE_ID}),
        ("DISPUTED", ReleaseOrder(ORDER_ID), "DISPUTE_ALREADY_OPEN", {"dispute_id": DISPUTE_ID}),
        ("DISPUTED", RefundOrder(ORDER_ID), "DISPUTE_ALREADY_OPEN", {"dispute_id": DISPUTE_ID}),
        ("DISPUTED", AssignDispute("ord_1", "agent"), "DISPUTE_NOT_FOUND", {}),
        ("DISPUTED", resolve("SPLIT", release_amount=WHOLE), "VALIDATION_ERROR", {}),
        ("DISPUTED", resolve("SPLIT", release_amount=WHOLE, refund_amount=1), "INVALID_AMOUNT", {}),
        ("DISPUTED", resolve("SPLIT", release_amount=WHOLE + 1, refund_amount=-1), "INVALID_AMOUNT", {}),
        ("DISPUTED", resolve("FULL_RELEASE", release_amount=1), "INVALID_AMOUNT", {}),
        ("DISPUTED", resolve("FULL_REFUND", release_amount=WHOLE), "INVALID_AMOUNT", {}),
    ],
)
def test_what_the_rules_forbid_changes_nothing(status: str, command: Any, code: str, details: dict[str, Any]) -> None:
    desk = desk_at(status, milestones=TWO_PARTS)
    before, events, sent = desk.order, len(desk.events), len(desk.sent)
    reply = desk.do(command).reply
    assert isinstance(reply, Refusal)
    assert reply.code == code
    assert details.items() <= reply.details.items()
    assert (desk.order, len(desk.events), len(desk.sent)) == (before, events, sent)


@pytest.mark.parametrize(
    ("status", "command", "kind", "postings"),
    [
        ("ORDER_CREATED", ReserveOrder(ORDER_ID, WHOLE), "reserve", [(f"user:{BUYER}:available", f"user:{BUYER}:reserved", 100)]),
        ("FUNDS_RESERVED", CancelOrder(ORDER_ID), "cancel", [(f"user:{BUYER}:reserved", f"user:{BUYER}:available", 100)]),
        ("ESCROW_FUNDING", CancelOrder(ORDER_ID), "cancel", [(f"user:{BUYER}:reserved", f"user:{BUYER}:available", 100)]),
        ("ESCROW_FUNDING", FundEscrow(ORDER_ID), "fund", [(f"user:{BUYER}:reserved", HOLD, 100)]),
        (
            "IN_PROGRESS",
            ReleaseOrder(ORDER_ID, requested_by=BUYER),
            "release",
            [(HOLD, f"user:{SELLER}:available", 95), (HOLD, "platform:fees", 5)],
        ),
        ("IN_PROGRESS", RefundOrder(ORDER_ID), "refund", [(HOLD, f"user:{BUYER}:available", 100)]),
        ("DISPUTED", resolve("FULL_RELEASE"), "release", [(HOLD, f"user:{SELLER}:available", 95), (HOLD, "platform:fees", 5)]),
        ("DISPUTED", resolve("FULL_REFUND"), "refund", [(HOLD, f"user:{BUYER}:available", 100)]),
        (
            "DISPUTED",
            resolve("SPLIT", release_amount=60 * UNIT, refund_amount=40 * UNIT),
            "split",
            [(HOLD, f"user:{SELLER}:available", 57), (HOLD, "platform:fees", 3), (HOLD, f"user:{BUYER}:available", 40)],
        ),
        (
            "DISPUTED",
            resolve("SPLIT", release_amount=0, refund_amount=WHOLE),
            "split",
            [(HOLD, f"user:{BUYER}:available", 100)],
        ),
    ],
)
def test_money_is_asked_of_the_ledger_and_nothing_is_told_before_it_answers(
    status: str, command: Any, kind: str, postings: list[tuple[str, str, int]]
) -> None:
    desk = desk_at(status, fee_bps=500)
    before, events = desk.order, len(desk.events)
    decision = desk.do(command)
    (send,) = decision.commands
    expected = tuple(Posting(source, destination, units * UNIT) for source, destination, units in postings)
    assert (send.service, send.message.kind, send.message.postings) == ("ledger", kind, expected)  # type: ignore[attr-defined]
    assert decision.reply is None
    assert (desk.order.status, desk.order.final_status, desk.order.escrow) == (before.status, before.final_status, before.escrow)
    assert len(desk.events) == events
    assert send.reference == f"{ORDER_ID}:{before.version + 1}"


@pytest.mark.parametrize(
    ("status", "command", "events", "final"),
    [
        ("ORDER_CREATED", ReserveOrder(ORDER_ID), ["order.funds_reserved"], None),
        ("ORDER_CREATED", CancelOrder(ORDER_ID), ["order.canceled", "order.closed"], "CANCELED"),
        ("FUNDS_RESERVED", CancelOrder(ORDER_ID), ["order.canceled", "order.closed"], "CANCELED"),
        ("ESCROW_FUNDING", CancelOrder(ORDER_ID), ["order.canceled", "order.closed"], "CANCELED"),
        (
            "FUNDS_RESERVED",
            CreateEscrow(ORDER_ID, WHOLE, "USD"),
            ["order.escrow_creating", "escrow.created", "order.escrow_funding"],
            None,
        ),
        ("ESCROW_FUNDING", FundEscrow(ORDER_ID), ["escrow.funded", "order.escrow_funded", "order.in_progress"], None),
        (
            "IN_PROGRESS",
            ReleaseOrder(ORDER_ID),
            ["order.release_requested", "escrow.released", "order.released", "order.closed"],
            "RELEASED",
        ),
        (
            "IN_PROGRESS",
            RefundOrder(ORDER_ID),
            ["order.refund_requested", "escrow.refunded", "order.refunded", "order.closed"],
            "REFUNDED",
        ),
        ("IN_PROGRESS", OpenDispute(ORDER_ID, BUYER), ["dispute.opened", "order.disputed", "escrow.disputed"], None),
        ("DISPUTED", AssignDispute(DISPUTE_ID, "agent"), ["dispute.under_review"], None),
        ("DISPUTED", CommentDispute(DISPUTE_ID, "cmt_1", BUYER, "hm"), ["dispute.comment_added"], None),
        (
            "DISPUTED",
            resolve("FULL_RELEASE"),
            ["dispute.resolved", "escrow.released", "order.released", "order.closed"],
            "RELEASED",
        ),
        (
            "DISPUTED",
            resolve("FULL_REFUND"),
            ["dispute.resolved", "escrow.refunded", "order.refunded", "order.closed"],
            "REFUNDED",
        ),
        (
            "DISPUTED",
            resolve("SPLIT", release_amount=UNIT, refund_amount=99 * UNIT),
            ["dispute.resolved", "escrow.released", "escrow.refunded", "order.closed"],
            "SPLIT",
        ),
        (
            "DISPUTED",
            resolve("SPLIT", release_amount=0, refund_amount=WHOLE),
            ["dispute.resolved", "escrow.refunded", "order.closed"],
            "SPLIT",
        ),
    ],
)
def test_every_change_is_told_once_and_in_sequence(status: str, command: Any, events: list[str], final: str | None) -> None:
    desk = desk_at(status)
    before = len(desk.events)
    desk.settled(command)
    assert told(desk)[before:] == events
    assert [event.sequence for event in desk.events] == list(range(1, len(desk.events) + 1))
    assert desk.order.sequence == len(desk.events)
    assert desk.order.final_status == final


def test_a_release_shows_the_whole_the_fee_and_what_is_left() -> None:
    desk = desk_at("IN_PROGRESS", fee_bps=500)
    (answer,) = desk.settled(ReleaseOrder(ORDER_ID, reason="good")).answers
    shown: Any = answer.outcome
    assert (shown.escrow_id, shown.status, shown.released_amount) == ("esc_1", "RELEASED", "100.00")
    assert (shown.platform_fee, shown.net_amount, shown.refunded_amount) == ("5.00", "95.00", None)
    assert shown.released_at is not None
    requested: Any = desk.events[-4].data
    released: Any = desk.events[-3].data
    assert requested.reason == "good"
    assert (released.status, released.contract_id, released.platform_fee) == ("released", HOLD, "5.00")


def test_a_resolution_shows_the_decision_and_where_the_money_went() -> None:
    desk = desk_at("DISPUTED", fee_bps=500)
    (answer,) = desk.settled(resolve("SPLIT", release_amount=60 * UNIT, refund_amount=40 * UNIT)).answers
    shown: Any = answer.outcome
    assert (shown.id, shown.status, shown.decision, shown.decision_note) == (DISPUTE_ID, "RESOLVED", "SPLIT", "seen")
    assert (shown.release_amount, shown.refund_amount, shown.assigned_to) == ("60.00", "40.00", "agent")
    assert desk.order.dispute_status == "RESOLVED"


def test_a_dispute_is_opened_by_a_party_named_by_role_or_id_and_free_text_becomes_other() -> None:
    desk = desk_at("IN_PROGRESS")
    shown: Any = desk.do(OpenDispute(ORDER_ID, SELLER, "late", "three weeks", ("https://x.test/1",))).reply
    assert (shown.opened_by, shown.reason, shown.description) == ("SELLER", "OTHER", "late: three weeks")
    assert (shown.status, shown.evidence, desk.order.dispute_opened_by) == ("OPEN", ("https://x.test/1",), "SELLER")


def test_a_dispute_is_assigned_once_and_resolved_once() -> None:
    desk = desk_at("DISPUTED")
    desk.do(AssignDispute(DISPUTE_ID, "agent"))
    again: Any = desk.do(AssignDispute(DISPUTE_ID, "other")).reply
    assert (again.code, again.details["current_state"], again.details["allowed_states"]) == (
        "INVALID_STATE",
        "UNDER_REVIEW",
        ["OPEN"],
    )
    desk.settled(resolve("FULL_REFUND"))
    resolved: Any = desk.do(resolve("FULL_RELEASE")).reply
    assert (resolved.code, resolved.details["current_state"]) == ("INVALID_STATE", "RESOLVED")


def test_a_milestone_is_completed_once_and_the_last_one_allows_the_release() -> None:
    desk = desk_at("IN_PROGRESS", milestones=TWO_PARTS)
    complete_all(desk)
    again: Any = desk.do(CompleteMilestone(ORDER_ID, "m1")).reply
    assert (again.code, again.details["current_state"]) == ("INVALID_STATE", "COMPLETED")
    desk.settled(ReleaseOrder(ORDER_ID))
    assert desk.order.final_status == "RELEASED"


def test_comments_are_bounded_and_outlive_the_dispute() -> None:
    desk = desk_at("DISPUTED")
    desk.settled(resolve("FULL_REFUND"))
    for number in range(COMMENTS_MAX):
        desk.do(CommentDispute(DISPUTE_ID, f"cmt_{number}", None, "hm"))
    refused: Any = desk.do(CommentDispute(DISPUTE_ID, "cmt_x", None, "hm")).reply
    assert refused.code == "VALIDATION_ERROR"
    assert len(desk.order.comments) == COMMENTS_MAX


def test_an_order_keeps_the_fee_it_was_made_with() -> None:
    desk = desk_at("IN_PROGRESS", fee_bps=100)
    dearer = Desk(fee_bps=900)
    desk.use_cases = dearer.use_cases
    desk.settled(ReleaseOrder(ORDER_ID))
    assert desk.order.escrow is not None
    assert desk.order.escrow.shares is not None
    assert desk.order.escrow.shares.fee == UNIT

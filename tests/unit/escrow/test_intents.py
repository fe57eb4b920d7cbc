"""An order and the ledger, whose answers come late, twice or never."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.contracts.commands.escrow import (
    AssignDispute,
    CancelOrder,
    CommentDispute,
    CreateEscrow,
    FundEscrow,
    OpenDispute,
    RefundOrder,
    ReleaseOrder,
    ReserveOrder,
    ResolveDispute,
)
from libs.common.contracts.envelope import REPLY_TYPE, Reply
from libs.common.kernel.errors import InvariantViolationError, Refusal
from libs.common.kernel.money import UNIT
from tests.support.orders import BUYER, ORDER_ID, SELLER, WHOLE, Books, Desk, desk_at, new_order

POOR = Refusal("INSUFFICIENT_FUNDS", "Available balance is less than requested amount", {"available": "1.00"})


def test_another_command_waits_for_the_ledgers_answer() -> None:
    desk = desk_at("ORDER_CREATED")
    desk.do(ReserveOrder(ORDER_ID))
    refused: Any = desk.do(CancelOrder(ORDER_ID)).reply
    assert refused.code == "INVALID_STATE"
    assert refused.details == {
        "order_id": ORDER_ID,
        "current_state": "ORDER_CREATED",
        "allowed_states": ["ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING"],
        "pending": "reserve",
        "retryable": True,
    }


def test_a_refused_reserve_changes_and_tells_nothing_and_can_succeed_later_under_another_journal() -> None:
    desk = desk_at("ORDER_CREATED")
    first = desk.do(ReserveOrder(ORDER_ID), message_id="cmd_first").commands[0]
    desk.settle(first, POOR)
    assert desk.answers["cmd_first"] == POOR
    assert (desk.order.status, desk.order.pending, desk.order.pending_due, len(desk.events)) == ("ORDER_CREATED", None, None, 1)
    second = desk.do(ReserveOrder(ORDER_ID), message_id="cmd_second").commands[0]
    assert second.message_id != first.message_id
    desk.settle(second)
    assert desk.order.status == "FUNDS_RESERVED"
    assert desk.answers["cmd_second"].status == "FUNDS_RESERVED"


def test_an_answer_to_any_but_the_pending_intent_is_stale() -> None:
    desk = desk_at("ORDER_CREATED")
    first = desk.do(ReserveOrder(ORDER_ID)).commands[0]
    desk.settle(first, POOR)
    second = desk.do(ReserveOrder(ORDER_ID)).commands[0]
    before = desk.order
    late = desk.settle(first)
    assert (late.rows, late.events, late.answers) == ((), (), ())
    assert desk.order == before
    desk.settle(second)
    settled = desk.order
    desk.settle(second)
    assert desk.order == settled


def test_a_comment_does_not_disturb_a_resolution_under_way() -> None:
    desk = desk_at("DISPUTED")
    journal = desk.do(ResolveDispute("dsp_1", "FULL_REFUND", "agent")).commands[0]
    waits: Any = desk.do(AssignDispute("dsp_1", "other")).reply
    desk.do(CommentDispute("dsp_1", "cmt_1", BUYER, "thanks"))
    desk.settle(journal)
    assert waits.details["retryable"]
    assert (desk.order.status, desk.order.final_status, len(desk.order.comments)) == ("CLOSED", "REFUNDED", 1)


def test_an_answer_without_our_note_is_parked_not_swallowed() -> None:
    desk = desk_at("ORDER_CREATED")
    for reference in ("", "ord_1", "ord_1:x", ":3"):
        with pytest.raises(InvariantViolationError):
            desk.do(Reply(), reference=reference, kind=REPLY_TYPE)


COMMANDS: tuple[Any, ...] = (
    ReserveOrder(ORDER_ID),
    CancelOrder(ORDER_ID),
    CreateEscrow(ORDER_ID, WHOLE, "USD"),
    FundEscrow(ORDER_ID),
    ReleaseOrder(ORDER_ID),
    RefundOrder(ORDER_ID),
    OpenDispute(ORDER_ID, "BUYER"),
    AssignDispute("dsp_1", "agent"),
    CommentDispute("dsp_1", "cmt_1", BUYER, "hm"),
    ResolveDispute("dsp_1", "FULL_RELEASE", "agent"),
    ResolveDispute("dsp_1", "SPLIT", "agent", 33 * UNIT + 1, 67 * UNIT - 1),
)
ONWARD: dict[str, tuple[Any, ...]] = {
    "ORDER_CREATED": COMMANDS[:1],
    "FUNDS_RESERVED": COMMANDS[2:3],
    "ESCROW_FUNDING": COMMANDS[3:4],
    "IN_PROGRESS": COMMANDS[4:7],
    "DISPUTED": COMMANDS[7:],
    "CLOSED": COMMANDS,
}
"""What leads on from a state, so that half of the walks get far."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("onward"), st.integers(0, 40)),
        st.tuples(st.just("newest"), st.just(0)),
        st.tuples(st.just("command"), st.sampled_from(COMMANDS)),
        st.tuples(st.just("any answer"), st.integers(0, 40)),
        st.tuples(st.just("credit"), st.integers(1, 60)),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=200)
@given(STEPS, st.sampled_from([0, 250, 10_000]), st.sampled_from([0, WHOLE]))
def test_any_interleaving_of_commands_and_answers_moves_the_money_once(
    steps: list[tuple[str, Any]], fee_bps: int, credited: int
) -> None:
    desk, books = Desk(fee_bps), Books({f"user:{BUYER}:available": credited})
    desk.do(new_order())
    asked: list[str] = []
    for kind, what in steps:
        if kind in ("command", "onward"):
            onward = ONWARD[desk.order.status]
            asked.append(f"cmd_test_{len(asked)}")
            desk.do(what if kind == "command" else onward[what % len(onward)], message_id=asked[-1])
        elif kind == "credit":
            credited += what * UNIT
            books.balances[f"user:{BUYER}:available"] += what * UNIT
        elif desk.sent:  # the newest journal, or any again: redeliveries and stale ones too
            send = desk.sent[-1 if kind == "newest" else what % len(desk.sent)]
            desk.settle(send, books.post(send))
    while desk.order.pending is not None:
        desk.settle(desk.sent[-1], books.post(desk.sent[-1]))
    assert set(asked) <= set(desk.answers), "a command was never answered"
    assert sum(books.balances.values()) == credited
    assert min(books.balances.values(), default=0) >= 0
    the_books_agree(desk, books, credited)
    assert [event.sequence for event in desk.events] == list(range(1, len(desk.events) + 1))


def the_books_agree(desk: Desk, books: Books, credited: int) -> None:
    """What the order says is what the money did."""
    order, balances = desk.order, books.balances
    kinds = [journal.kind for journal in books.journals.values()]
    assert len(kinds) == len(set(kinds)), "the same money moved twice"
    assert len(set(kinds) & {"cancel", "release", "refund", "split"}) <= 1
    reserved, escrowed = balances.get(f"user:{BUYER}:reserved", 0), balances.get(f"order:{ORDER_ID}:escrow", 0)
    where = {"FUNDS_RESERVED": (WHOLE, 0), "ESCROW_FUNDING": (WHOLE, 0), "IN_PROGRESS": (0, WHOLE), "DISPUTED": (0, WHOLE)}
    assert (reserved, escrowed) == where.get(order.status, (0, 0))
    shares = None if order.escrow is None else order.escrow.shares
    paid = (shares.seller, shares.fee) if shares else (0, 0)
    assert (balances.get(f"user:{SELLER}:available", 0), balances.get("platform:fees", 0)) == paid
    assert balances.get(f"user:{BUYER}:available", 0) == credited - reserved - escrowed - sum(paid)

import itertools
from pathlib import Path

import pytest

from libs.common.contracts.commands.escrow import (
    CancelOrder,
    CompleteMilestone,
    CreateEscrow,
    FundEscrow,
    OpenDispute,
    RefundOrder,
    ReleaseOrder,
    ReserveOrder,
    ResolveDispute,
)
from libs.common.kernel.errors import Refusal
from services.escrow.domain.states import DISPUTE, ORDER, DisputeAction, DisputeStatus, OrderAction, OrderStatus
from tests.support.orders import ORDER_ID, TWO_PARTS, WHOLE, Desk, complete_all, desk_at

README = Path(__file__).parents[3] / "services" / "escrow" / "README.md"
COMMANDS = {
    OrderAction.RESERVE: ReserveOrder(ORDER_ID),
    OrderAction.CANCEL: CancelOrder(ORDER_ID),
    OrderAction.CREATE_ESCROW: CreateEscrow(ORDER_ID, WHOLE, "USD"),
    OrderAction.FUND: FundEscrow(ORDER_ID),
    OrderAction.COMPLETE_MILESTONE: CompleteMilestone(ORDER_ID, "m1"),
    OrderAction.RELEASE: ReleaseOrder(ORDER_ID),
    OrderAction.REFUND: RefundOrder(ORDER_ID),
    OrderAction.DISPUTE: OpenDispute(ORDER_ID, "SELLER"),
    OrderAction.RESOLVE: ResolveDispute("dsp_1", "FULL_RELEASE", "agent"),
}
REFUSED_AS = {"INVALID_STATE", "DISPUTE_ALREADY_OPEN", "ESCROW_ALREADY_EXISTS", "ESCROW_NOT_FOUND", "DISPUTE_NOT_FOUND"}


def closed_desk() -> Desk:
    desk = desk_at("DISPUTED", milestones=TWO_PARTS)
    desk.settled(COMMANDS[OrderAction.RESOLVE])
    return desk


def desk_in(status: OrderStatus) -> Desk:
    return closed_desk() if status == OrderStatus.CLOSED else desk_at(status, milestones=TWO_PARTS)


@pytest.mark.parametrize(("status", "action"), list(itertools.product(OrderStatus, OrderAction)))
def test_every_action_in_every_state_does_what_the_table_says(status: OrderStatus, action: OrderAction) -> None:
    desk = desk_in(status)
    if action == OrderAction.RELEASE and status == OrderStatus.IN_PROGRESS:
        complete_all(desk)
    before = desk.order
    desk.settled(COMMANDS[action])
    expected = ORDER.after(status, action)
    if expected is None:
        outcome = desk.answers[next(reversed(desk.answers))]
        assert isinstance(outcome, Refusal)
        assert outcome.code in REFUSED_AS
        assert desk.order == before
    else:
        assert desk.order.status == expected
        assert desk.order.pending is None
        assert desk.order.version > before.version


def test_every_state_can_be_reached_and_none_is_left_once_closed() -> None:
    reached = {ORDER.start} | set(ORDER.table.values())
    assert reached == set(OrderStatus)
    assert all(status != OrderStatus.CLOSED for status, _ in ORDER.table)
    assert {DISPUTE.start} | set(DISPUTE.table.values()) == set(DisputeStatus)
    assert all(status != DisputeStatus.RESOLVED for status, _ in DISPUTE.table)
    assert {action for _, action in DISPUTE.table} == set(DisputeAction)


def test_the_pictures_in_the_readme_are_drawn_from_the_tables() -> None:
    text = README.read_text()
    for table in (ORDER, DISPUTE):
        assert f"```mermaid\n{table.mermaid()}\n```" in text

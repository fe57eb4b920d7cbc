from typing import Any

import pytest

from libs.common.contracts.commands.escrow import NewMilestone
from libs.common.contracts.replies.escrow import Order
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import UNIT
from services.escrow.store.rows import PARTIES, PartyRow
from tests.support.orders import BUYER, TENANT, TWO_PARTS, WHOLE, Desk, new_order, told


def test_an_order_is_created_with_its_milestones_and_the_fee_of_the_day() -> None:
    desk = Desk(fee_bps=250)
    reply = desk.do(new_order(milestones=TWO_PARTS, quoted_currency="USDC", metadata={"a": 1})).reply
    assert isinstance(reply, Order)
    assert (reply.amount, reply.currency, reply.status, reply.platform_fee_bps) == ("100.00", "USDC", "ORDER_CREATED", 250)
    assert [(part.ref, part.amount, part.status) for part in reply.milestones] == [
        ("m1", "60.00", "OPEN"),
        ("m2", "40.00", "OPEN"),
    ]
    assert told(desk) == ["order.created"]
    assert desk.events[0].sequence == 1
    assert desk.events[0].user_ids == (BUYER, "usr_seller")


@pytest.mark.parametrize(
    ("terms", "code", "told_in_details"),
    [
        ({"seller_id": BUYER}, "INVALID_REQUEST", {"user_id": BUYER}),
        ({"amount": 0}, "VALIDATION_ERROR", {}),
        ({"milestones": (NewMilestone("m1", "x", WHOLE - 1),)}, "INVALID_AMOUNT", {"order_amount": "100.00"}),
        ({"milestones": (NewMilestone("m1", "x", WHOLE + UNIT),)}, "INVALID_AMOUNT", {"milestones_total": "101.00"}),
        ({"milestones": (NewMilestone("m", "x", WHOLE), NewMilestone("n", "y", 0))}, "VALIDATION_ERROR", {}),
        ({"milestones": (NewMilestone("m", "x", 2 * WHOLE), NewMilestone("n", "y", -WHOLE))}, "VALIDATION_ERROR", {}),
        ({"milestones": (NewMilestone("m", "x", WHOLE // 2),) * 2}, "VALIDATION_ERROR", {}),
        ({"milestones": tuple(NewMilestone(f"m{n}", "x", WHOLE // 101) for n in range(101))}, "VALIDATION_ERROR", {}),
        ({"buyer_id": "usr_nobody"}, "USER_NOT_FOUND", {"field": "buyer_id"}),
        ({"seller_id": "usr_nobody"}, "USER_NOT_FOUND", {"field": "seller_id"}),
    ],
)
def test_terms_that_break_a_rule_are_refused(terms: dict[str, Any], code: str, told_in_details: dict[str, Any]) -> None:
    desk = Desk()
    reply = desk.do(new_order(**terms)).reply
    assert isinstance(reply, Refusal)
    assert reply.code == code
    assert told_in_details.items() <= reply.details.items()
    assert "orders" not in desk.rows
    assert not desk.events


def test_a_suspended_party_makes_no_order() -> None:
    desk = Desk()
    desk.keep(PARTIES, PartyRow(TENANT, BUYER, "SUSPENDED", 2))
    reply = desk.do(new_order()).reply
    assert isinstance(reply, Refusal)
    assert (reply.code, reply.details["field"]) == ("USER_INACTIVE", "buyer_id")


def test_a_client_reference_names_one_order() -> None:
    desk = Desk()
    desk.do(new_order(client_order_ref="A-1"))
    again = desk.do(new_order(order_id="ord_2", client_order_ref="A-1")).reply
    other = desk.do(new_order(order_id="ord_3", client_order_ref="A-2")).reply
    assert isinstance(again, Refusal)
    assert (again.code, again.details["order_id"]) == ("ORDER_ALREADY_EXISTS", "ord_1")
    assert isinstance(other, Order)

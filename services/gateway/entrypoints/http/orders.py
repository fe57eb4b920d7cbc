"""Orders and their milestones."""

from typing import Annotated

from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.escrow import (
    CancelOrder,
    CompleteMilestone,
    CreateOrder,
    NewMilestone,
    ReserveOrder,
)
from libs.common.contracts.queries.escrow import GetOrder, ListMilestones, ListOrders
from libs.common.contracts.replies.escrow import Milestone, Order, OrderStatus
from libs.common.kernel.ids import looks_like_id, sibling_id
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import WEEK
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import CANCELED_ORDER, NEW_ORDER, RESERVED_ORDER
from services.gateway.entrypoints.http.fields import (
    Amount,
    Currency,
    Fields,
    Id,
    Instant,
    Metadata,
    Name,
    PageQuery,
    Text,
    example,
)
from services.gateway.entrypoints.http.routing import Operation


class MilestoneFields(Fields):
    """A part of an order."""

    ref: Name
    """Your name for it, unique in the order."""
    title: Name
    amount: Amount
    description: Text | None = None


class NewOrder(Fields):
    """A sale between two users."""

    model_config = example(
        buyer_id="usr_01ABC",
        seller_id="usr_02ABC",
        amount="2500.00",
        currency="USD",
        title="A brand identity",
        client_order_ref="sale-42",
        milestones=[
            {"ref": "draft", "title": "Three drafts", "amount": "1000.00"},
            {"ref": "final", "title": "Final files", "amount": "1500.00"},
        ],
    )

    buyer_id: Name
    """The user who pays."""
    seller_id: Name
    """The user who is paid."""
    amount: Amount
    title: Name
    currency: Currency = "USD"
    """USDC is booked as USD."""
    description: Text | None = None
    client_order_ref: Name | None = None
    """Your own name for the order; a second order with it is refused."""
    milestones: Annotated[list[MilestoneFields], Field(max_length=100, default_factory=list)]
    """Parts of the work; their amounts add up to the order's."""
    metadata: Metadata | None = None


class OrderQuery(PageQuery):
    """Filters of the list of orders."""

    status: OrderStatus | None = None
    """Only those that stand here."""
    buyer_id: Id | None = None
    """Only this buyer's."""
    seller_id: Id | None = None
    """Only this seller's."""
    user_id: Id | None = None
    """Only those in which this user is the buyer or the seller."""
    created_after: Instant | None = None
    """Only those made at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only those made before this instant."""


class Reservation(Fields):
    """Nothing need be said."""

    model_config = example(amount="2500.00")

    amount: Amount | None = None
    """A check on your side: when it is given it must be the order's own."""


class Cancellation(Fields):
    """Why the order is called off."""

    model_config = example(reason="The buyer changed their mind")

    reason: Text | None = None
    """Goes into the event that tells of it."""


async def create_order(call: Calling, body: Annotated[NewOrder, Body()]) -> Answer:
    """Create an order.

    Two users agree on a sale. No money moves until it is reserved. Milestones are optional; they say which parts must
    be completed before the money can be released.
    """
    _check_party("buyer_id", body.buyer_id)
    _check_party("seller_id", body.seller_id)
    milestones = tuple(NewMilestone(part.ref, part.title, part.amount, part.description) for part in body.milestones)
    return await call.submit(
        "escrow",
        lambda command_id: CreateOrder(
            order_id=sibling_id("ord", command_id),
            buyer_id=body.buyer_id,
            seller_id=body.seller_id,
            amount=body.amount,
            currency=as_currency(booked_currency(body.currency) or ""),
            quoted_currency=body.currency,
            title=body.title,
            description=body.description,
            client_order_ref=body.client_order_ref,
            milestones=milestones,
            metadata=body.metadata,
        ),
        window=WEEK,
    )


async def list_orders(call: Calling, query: Annotated[OrderQuery, Query()]) -> Answer:
    """List orders.

    Newest first. Filters combine: an order must satisfy all of them.
    """
    return await call.ask_page("escrow", ListOrders(**query.model_dump()))


async def get_order(call: Calling, order_id: str) -> Answer:
    """Get an order.

    With its milestones, its escrow and its dispute.
    """
    return await call.ask("escrow", GetOrder(order_id))


async def reserve_order(call: Calling, order_id: str, body: Annotated[Reservation, Body()]) -> Answer:
    """Reserve the buyer's money.

    Moves the order's amount from the buyer's available balance to the reserved one. The order goes from ORDER_CREATED
    to FUNDS_RESERVED.
    """
    return await call.submit("escrow", lambda _: ReserveOrder(order_id, body.amount), window=WEEK)


async def cancel_order(call: Calling, order_id: str, body: Annotated[Cancellation, Body()]) -> Answer:
    """Cancel an order.

    Possible until its money is in escrow. What was reserved goes back to the buyer, and the order is CLOSED as
    CANCELED.
    """
    return await call.submit("escrow", lambda _: CancelOrder(order_id, body.reason), window=WEEK)


async def list_milestones(call: Calling, order_id: str) -> Answer:
    """List an order's milestones.

    In the order in which they were given; all of them on one page.
    """
    return await call.ask_page("escrow", ListMilestones(order_id))


async def complete_milestone(call: Calling, order_id: str, ref: str) -> Answer:
    """Complete a milestone.

    Says that a part of the work is done. No money moves: the release of the whole order waits for all milestones.
    """
    return await call.submit("escrow", lambda _: CompleteMilestone(order_id, ref), window=WEEK)


def _check_party(field: str, user_id: str) -> None:
    if not looks_like_id(user_id):
        raise ApiError("USER_NOT_FOUND", field=field, user_id=user_id[:100])


OPERATIONS = (
    Operation(
        "POST", "/orders", create_order, Scope.WRITE, Order, status=201, shown=NEW_ORDER,
        codes=("INVALID_REQUEST", "INVALID_AMOUNT", "USER_NOT_FOUND", "USER_INACTIVE", "ORDER_ALREADY_EXISTS"),
    ),
    Operation("GET", "/orders/{order_id}", get_order, Scope.READ, Order),
    Operation(
        "POST", "/orders/{order_id}/reserve", reserve_order, Scope.WRITE, Order, shown=RESERVED_ORDER,
        codes=("INVALID_STATE", "RESERVE_MISMATCH_AMOUNT", "INSUFFICIENT_FUNDS", "USER_INACTIVE"),
    ),
    Operation("GET", "/orders", list_orders, Scope.READ, Order, is_list=True),
    Operation(
        "POST", "/orders/{order_id}/cancel", cancel_order, Scope.WRITE, Order, shown=CANCELED_ORDER, codes=("INVALID_STATE",)
    ),
    Operation("GET", "/orders/{order_id}/milestones", list_milestones, Scope.READ, Milestone, is_list=True),
    Operation(
        "POST", "/orders/{order_id}/milestones/{ref}/complete", complete_milestone, Scope.WRITE, Order, codes=("INVALID_STATE",)
    ),
)  # fmt: skip

"""Orders, their milestones and their escrow."""

from typing import Annotated, Literal

from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.escrow import (
    CancelOrder,
    CompleteMilestone,
    CreateEscrow,
    CreateOrder,
    FundEscrow,
    NewMilestone,
    ReserveOrder,
)
from libs.common.contracts.queries.escrow import GetEscrow, GetOrder, ListMilestones, ListOrders
from libs.common.contracts.replies.escrow import Escrow, Milestone, Order
from libs.common.kernel.ids import looks_like_id, sibling_id
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import WEEK
from services.gateway.entrypoints.http.calls import Calling, created
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
)
from services.gateway.entrypoints.http.routing import Operation

OrderStatus = Literal["ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING", "IN_PROGRESS", "DISPUTED", "CLOSED"]


class MilestoneFields(Fields):
    """A part of an order; `ref` is unique in it."""

    ref: Name
    title: Name
    amount: Amount
    description: Text | None = None


class NewOrder(Fields):
    """A sale between two users; the milestones' amounts add up to the order's."""

    buyer_id: Name
    seller_id: Name
    amount: Amount
    title: Name
    currency: Currency = "USD"
    description: Text | None = None
    client_order_ref: Name | None = None
    milestones: Annotated[list[MilestoneFields], Field(max_length=100, default_factory=list)]
    metadata: Metadata | None = None


class OrderQuery(PageQuery):
    """Filters of the list of orders; `user_id` finds either role."""

    status: OrderStatus | None = None
    buyer_id: Id | None = None
    seller_id: Id | None = None
    user_id: Id | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None


class Reservation(Fields):
    """When the amount is given it must be the order's own."""

    amount: Amount | None = None


class Cancellation(Fields):
    """Why the order is called off."""

    reason: Text | None = None


class NewEscrow(Fields):
    """What to hold: the order's own amount and currency."""

    amount: Amount
    currency: Currency


async def create_order(call: Calling, body: Annotated[NewOrder, Body()]) -> Answer:
    """Create an order. No money moves."""
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
        shape=created,
        window=WEEK,
    )


async def list_orders(call: Calling, query: Annotated[OrderQuery, Query()]) -> Answer:
    """List orders, newest first."""
    return await call.ask_page("escrow", ListOrders(**query.model_dump()))


async def get_order(call: Calling, order_id: str) -> Answer:
    """Get an order with its milestones, escrow and dispute."""
    return await call.ask("escrow", GetOrder(order_id))


async def reserve_order(call: Calling, order_id: str, body: Annotated[Reservation, Body()]) -> Answer:
    """Reserve the buyer's money for the order."""
    return await call.submit("escrow", lambda _: ReserveOrder(order_id, body.amount), window=WEEK)


async def cancel_order(call: Calling, order_id: str, body: Annotated[Cancellation, Body()]) -> Answer:
    """Cancel an order that is not in escrow; a reservation goes back to the buyer."""
    return await call.submit("escrow", lambda _: CancelOrder(order_id, body.reason), window=WEEK)


async def list_milestones(call: Calling, order_id: str) -> Answer:
    """List an order's milestones, in its own order."""
    return await call.ask_page("escrow", ListMilestones(order_id))


async def complete_milestone(call: Calling, order_id: str, ref: str) -> Answer:
    """Mark a milestone as done. No money moves."""
    return await call.submit("escrow", lambda _: CompleteMilestone(order_id, ref), window=WEEK)


async def create_escrow(call: Calling, order_id: str, body: Annotated[NewEscrow, Body()]) -> Answer:
    """Open the escrow of an order whose money is reserved."""
    currency = as_currency(booked_currency(body.currency) or "")
    return await call.submit("escrow", lambda _: CreateEscrow(order_id, body.amount, currency), shape=created, window=WEEK)


async def fund_escrow(call: Calling, order_id: str) -> Answer:
    """Move the reserved money into escrow."""
    return await call.submit("escrow", lambda _: FundEscrow(order_id), window=WEEK)


async def get_escrow(call: Calling, order_id: str) -> Answer:
    """Get the escrow of an order."""
    return await call.ask("escrow", GetEscrow(order_id))


def _check_party(field: str, user_id: str) -> None:
    if not looks_like_id(user_id):
        raise ApiError("USER_NOT_FOUND", field=field, user_id=user_id[:100])


OPERATIONS = (
    Operation("POST", "/orders", create_order, Scope.WRITE, Order, status=201),
    Operation("GET", "/orders/{order_id}", get_order, Scope.READ, Order),
    Operation("POST", "/orders/{order_id}/reserve", reserve_order, Scope.WRITE, Order),
    Operation("POST", "/orders/{order_id}/escrow", create_escrow, Scope.WRITE, Escrow, status=201),
    Operation("POST", "/orders/{order_id}/escrow/fund", fund_escrow, Scope.WRITE, Escrow),
    Operation("GET", "/orders", list_orders, Scope.READ, Order, is_list=True),
    Operation("POST", "/orders/{order_id}/cancel", cancel_order, Scope.WRITE, Order),
    Operation("GET", "/orders/{order_id}/milestones", list_milestones, Scope.READ, Milestone, is_list=True),
    Operation("POST", "/orders/{order_id}/milestones/{ref}/complete", complete_milestone, Scope.WRITE, Order),
    Operation("GET", "/orders/{order_id}/escrow", get_escrow, Scope.READ, Escrow),
)

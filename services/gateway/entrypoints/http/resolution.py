"""How an order's escrow ends: release, refund or a dispute."""

from typing import Annotated, Literal

from fastapi import Body

from libs.common.contracts.commands.escrow import OpenDispute, RefundOrder, ReleaseOrder
from libs.common.contracts.replies.escrow import Dispute, Escrow
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import FOREVER, WEEK
from services.gateway.entrypoints.http.calls import Calling, created
from services.gateway.entrypoints.http.fields import Fields, LinkList, Name, Text
from services.gateway.entrypoints.http.routing import Operation


class Settlement(Fields):
    """Why, and which party asked for it."""

    reason: Text | None = None
    requested_by: Name | None = None


class NewDispute(Fields):
    """Who contests the order and why; `opened_by` is BUYER, SELLER or the user id of one of them."""

    opened_by: Name = "BUYER"
    reason: Literal["NOT_DELIVERED", "QUALITY_ISSUE", "OTHER"] = "OTHER"
    description: Text | None = None
    evidence: LinkList


async def release_order(call: Calling, order_id: str, body: Annotated[Settlement, Body()]) -> Answer:
    """Release the escrowed money to the seller, less the platform's fee."""
    return await call.submit("escrow", lambda _: ReleaseOrder(order_id, body.reason, body.requested_by), window=WEEK)


async def refund_order(call: Calling, order_id: str, body: Annotated[Settlement, Body()]) -> Answer:
    """Refund the escrowed money to the buyer."""
    return await call.submit("escrow", lambda _: RefundOrder(order_id, body.reason, body.requested_by), window=WEEK)


async def open_dispute(call: Calling, order_id: str, body: Annotated[NewDispute, Body()]) -> Answer:
    """Open a dispute: nothing moves until it is resolved."""
    return await call.submit(
        "escrow",
        lambda _: OpenDispute(order_id, body.opened_by, body.reason, body.description, tuple(body.evidence)),
        shape=created,
        window=FOREVER,
    )


OPERATIONS = (
    Operation("POST", "/orders/{order_id}/resolution/release", release_order, Scope.WRITE, Escrow),
    Operation("POST", "/orders/{order_id}/resolution/refund", refund_order, Scope.WRITE, Escrow),
    Operation("POST", "/orders/{order_id}/resolution/dispute", open_dispute, Scope.WRITE, Dispute, status=201),
)

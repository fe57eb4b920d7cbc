"""How an order's escrow ends: release, refund or a dispute."""

from typing import Annotated

from fastapi import Body

from libs.common.contracts.commands.escrow import OpenDispute, RefundOrder, ReleaseOrder
from libs.common.contracts.replies.escrow import Dispute, DisputeReason, Escrow
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import FOREVER, WEEK
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import REFUNDED_ESCROW, RELEASED_ESCROW
from services.gateway.entrypoints.http.fields import Fields, LinkList, Name, Text, example
from services.gateway.entrypoints.http.routing import Operation


class Settlement(Fields):
    """Why, and which party asked for it."""

    model_config = example(reason="Work accepted", requested_by="usr_01ABC")

    reason: Text | None = None
    """Goes into the event that tells of it."""
    requested_by: Name | None = None
    """The user on whose behalf you ask; only the buyer can ask for a release, either party for a refund."""


class NewDispute(Fields):
    """Who contests the order and why."""

    model_config = example(
        opened_by="BUYER",
        reason="QUALITY_ISSUE",
        description="The files can't be opened",
        evidence=["https://files.example.com/screenshot.png"],
    )

    opened_by: Name = "BUYER"
    """BUYER, SELLER, or the user id of one of them."""
    reason: DisputeReason = "OTHER"
    description: Text | None = None
    evidence: LinkList
    """Where what proves it can be found."""


async def release_order(call: Calling, order_id: str, body: Annotated[Settlement, Body()]) -> Answer:
    """Release the money to the seller.

    Pays the seller out of escrow, less the platform's fee, and closes the order. All milestones must be completed.
    """
    return await call.submit("escrow", lambda _: ReleaseOrder(order_id, body.reason, body.requested_by), window=WEEK)


async def refund_order(call: Calling, order_id: str, body: Annotated[Settlement, Body()]) -> Answer:
    """Refund the money to the buyer.

    Gives the buyer all of the escrow back and closes the order. No fee is taken.
    """
    return await call.submit("escrow", lambda _: RefundOrder(order_id, body.reason, body.requested_by), window=WEEK)


async def open_dispute(call: Calling, order_id: str, body: Annotated[NewDispute, Body()]) -> Answer:
    """Open a dispute.

    Contests an order whose money is in escrow: nothing moves until the dispute is resolved.
    """
    return await call.submit(
        "escrow",
        lambda _: OpenDispute(order_id, body.opened_by, body.reason, body.description, tuple(body.evidence)),
        window=FOREVER,
    )


OPERATIONS = (
    Operation(
        "POST", "/orders/{order_id}/resolution/release", release_order, Scope.WRITE, Escrow, shown=RELEASED_ESCROW,
        codes=("INVALID_STATE", "DISPUTE_ALREADY_OPEN", "FORBIDDEN_ACTOR"),
    ),
    Operation(
        "POST", "/orders/{order_id}/resolution/refund", refund_order, Scope.WRITE, Escrow, shown=REFUNDED_ESCROW,
        codes=("INVALID_STATE", "DISPUTE_ALREADY_OPEN", "FORBIDDEN_ACTOR"),
    ),
    Operation(
        "POST", "/orders/{order_id}/resolution/dispute", open_dispute, Scope.WRITE, Dispute, status=201,
        codes=("INVALID_STATE", "DISPUTE_ALREADY_OPEN", "FORBIDDEN_ACTOR", "ESCROW_NOT_FOUND"),
    ),
)  # fmt: skip

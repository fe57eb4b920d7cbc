"""Disputes: looking at them, talking about them, ending them."""

from typing import Annotated, Final

from fastapi import Body, Query

from libs.common.contracts.commands.escrow import AssignDispute, CommentDispute, ResolveDispute
from libs.common.contracts.queries.escrow import GetDispute, ListComments, ListDisputes
from libs.common.contracts.replies.escrow import Comment, Decision, Dispute, DisputeStatus, Side
from libs.common.kernel.ids import looks_like_id, sibling_id
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import FOREVER
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import ASSIGNED, RESOLVED
from services.gateway.entrypoints.http.fields import (
    UPPER,
    Fields,
    Id,
    Instant,
    LinkList,
    Name,
    PageQuery,
    RequiredText,
    Share,
    Text,
    example,
)
from services.gateway.entrypoints.http.routing import Operation


class DisputeQuery(PageQuery):
    """Filters of the list of disputes."""

    status: Annotated[DisputeStatus, UPPER] | None = None
    """Only those that stand here."""
    order_id: Id | None = None
    """Only this order's."""
    opened_by: Annotated[Side, UPPER] | None = None
    """Only those that this side opened."""
    user_id: Id | None = None
    """Only those over orders in which this user is the buyer or the seller."""
    created_after: Instant | None = None
    """Only those opened at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only those opened before this instant."""


class NewComment(Fields):
    """What somebody says."""

    model_config = example(message="Could you send the files again?", user_id="usr_02ABC", attachments=[])

    message: RequiredText
    user_id: Name | None = None
    """The party that says it; left out when your support does."""
    attachments: LinkList
    """Where what belongs to it can be found."""


class Assignment(Fields):
    """The agent who reviews the dispute."""

    model_config = example(assigned_to="agent-7", notes="Knows the seller")

    assigned_to: Name
    """Your own name for the agent."""
    notes: Text | None = None
    """The agents' own; never shown again."""


_SPLIT: Final = {
    "if": {"properties": {"decision": {"const": "SPLIT"}}},
    "then": {
        "required": ["release_amount", "refund_amount"],
        "properties": {"release_amount": {"type": "string"}, "refund_amount": {"type": "string"}},
    },
}


class Resolution(Fields):
    """The end of a dispute."""

    model_config = example(
        _SPLIT, decision="SPLIT", release_amount="1500.00", refund_amount="1000.00", note="The first drafts were late"
    )

    decision: Decision
    release_amount: Share | None = None
    """The seller's part of a SPLIT. Both parts add up to the order's amount; other decisions name none."""
    refund_amount: Share | None = None
    """The buyer's part of a SPLIT."""
    note: Text | None = None
    """Why it was decided so; both parties may read it."""


async def list_disputes(call: Calling, query: Annotated[DisputeQuery, Query()]) -> Answer:
    """List disputes.

    Newest first. Filters combine: a dispute must satisfy all of them.
    """
    return await call.ask_page("escrow", ListDisputes(**query.model_dump()))


async def get_dispute(call: Calling, dispute_id: str) -> Answer:
    """Get a dispute.

    Who contests what and why, where it stands, and how it was decided.
    """
    return await call.ask("escrow", GetDispute(dispute_id))


async def list_comments(call: Calling, dispute_id: str) -> Answer:
    """List a dispute's comments.

    Oldest first; all of them on one page.
    """
    return await call.ask_page("escrow", ListComments(dispute_id))


async def comment_dispute(call: Calling, dispute_id: str, body: Annotated[NewComment, Body()]) -> Answer:
    """Comment on a dispute.

    A word of your support or, with `user_id`, of one of the parties. At most 200 on a dispute.
    """
    if body.user_id is not None and not looks_like_id(body.user_id):
        raise ApiError("USER_NOT_FOUND", field="user_id")
    return await call.submit(
        "escrow",
        lambda command_id: CommentDispute(
            dispute_id, sibling_id("cmt", command_id), body.user_id, body.message, tuple(body.attachments)
        ),
        window=FOREVER,
    )


async def assign_dispute(call: Calling, dispute_id: str, body: Annotated[Assignment, Body()]) -> Answer:
    """Assign a dispute to an agent.

    The dispute is then UNDER_REVIEW. An assignment is not needed to resolve it.
    """
    return await call.submit("escrow", lambda _: AssignDispute(dispute_id, body.assigned_to, body.notes), window=FOREVER)


async def resolve_dispute(call: Calling, dispute_id: str, body: Annotated[Resolution, Body()]) -> Answer:
    """Resolve a dispute.

    All to the seller, all to the buyer, or a split whose parts add up to the order's amount. The platform's fee comes
    out of the seller's part. Closes the order.
    """
    return await call.submit(
        "escrow",
        lambda _: ResolveDispute(
            dispute_id=dispute_id,
            decision=body.decision,
            resolved_by=call.principal.key_id,
            release_amount=body.release_amount,
            refund_amount=body.refund_amount,
            note=body.note,
        ),
        window=FOREVER,
    )


OPERATIONS = (
    Operation("GET", "/disputes", list_disputes, Scope.READ, Dispute, is_list=True),
    Operation("GET", "/disputes/{dispute_id}", get_dispute, Scope.READ, Dispute),
    Operation("GET", "/disputes/{dispute_id}/comments", list_comments, Scope.READ, Comment, is_list=True),
    Operation(
        "POST", "/disputes/{dispute_id}/comments", comment_dispute, Scope.SUPPORT, Comment, status=201, codes=("USER_NOT_FOUND",)
    ),
    Operation(
        "POST", "/disputes/{dispute_id}/assign", assign_dispute, Scope.SUPPORT, Dispute, shown=ASSIGNED, codes=("INVALID_STATE",)
    ),
    Operation(
        "POST", "/disputes/{dispute_id}/resolve", resolve_dispute, Scope.SUPPORT, Dispute, shown=RESOLVED,
        codes=("INVALID_STATE", "INVALID_AMOUNT"),
    ),
)  # fmt: skip

"""Disputes: looking at them, talking about them, ending them."""

from typing import Annotated, Literal

from fastapi import Body, Query

from libs.common.contracts.commands.escrow import AssignDispute, CommentDispute, ResolveDispute
from libs.common.contracts.queries.escrow import GetDispute, ListComments, ListDisputes
from libs.common.contracts.replies.escrow import Comment, Dispute
from libs.common.kernel.ids import looks_like_id, sibling_id
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import FOREVER
from services.gateway.entrypoints.http.calls import Calling, created
from services.gateway.entrypoints.http.fields import Fields, Id, Instant, LinkList, Name, PageQuery, RequiredText, Share, Text
from services.gateway.entrypoints.http.routing import Operation


class DisputeQuery(PageQuery):
    """Filters of the list of disputes."""

    status: Literal["OPEN", "UNDER_REVIEW", "RESOLVED"] | None = None
    order_id: Id | None = None
    opened_by: Name | None = None
    user_id: Id | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None


class NewComment(Fields):
    """What somebody says; `user_id` names the party that says it, if one does."""

    message: RequiredText
    user_id: Name | None = None
    attachments: LinkList


class Assignment(Fields):
    """The agent who reviews the dispute."""

    assigned_to: Name
    notes: Text | None = None


class Resolution(Fields):
    """The end of a dispute; a split names both parts, which add up to the order's amount."""

    decision: Literal["FULL_RELEASE", "FULL_REFUND", "SPLIT"]
    release_amount: Share | None = None
    refund_amount: Share | None = None
    note: Text | None = None


async def list_disputes(call: Calling, query: Annotated[DisputeQuery, Query()]) -> Answer:
    """List disputes, newest first."""
    return await call.ask_page("escrow", ListDisputes(**query.model_dump()))


async def get_dispute(call: Calling, dispute_id: str) -> Answer:
    """Get a dispute."""
    return await call.ask("escrow", GetDispute(dispute_id))


async def list_comments(call: Calling, dispute_id: str) -> Answer:
    """List what was said on a dispute, oldest first."""
    return await call.ask_page("escrow", ListComments(dispute_id))


async def comment_dispute(call: Calling, dispute_id: str, body: Annotated[NewComment, Body()]) -> Answer:
    """Add a comment to a dispute."""
    if body.user_id is not None and not looks_like_id(body.user_id):
        raise ApiError("USER_NOT_FOUND", field="user_id")
    return await call.submit(
        "escrow",
        lambda command_id: CommentDispute(
            dispute_id, sibling_id("cmt", command_id), body.user_id, body.message, tuple(body.attachments)
        ),
        shape=created,
        window=FOREVER,
    )


async def assign_dispute(call: Calling, dispute_id: str, body: Annotated[Assignment, Body()]) -> Answer:
    """Give a dispute to an agent, who reviews it."""
    return await call.submit("escrow", lambda _: AssignDispute(dispute_id, body.assigned_to, body.notes), window=FOREVER)


async def resolve_dispute(call: Calling, dispute_id: str, body: Annotated[Resolution, Body()]) -> Answer:
    """Resolve a dispute: all to the seller, all to the buyer, or an exact split."""
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
    Operation("POST", "/disputes/{dispute_id}/comments", comment_dispute, Scope.SUPPORT, Comment, status=201),
    Operation("POST", "/disputes/{dispute_id}/assign", assign_dispute, Scope.SUPPORT, Dispute),
    Operation("POST", "/disputes/{dispute_id}/resolve", resolve_dispute, Scope.SUPPORT, Dispute),
)

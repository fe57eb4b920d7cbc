"""Orders as clients see them."""

from datetime import datetime

from libs.common.contracts.replies import escrow as replies
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import InvariantViolationError
from libs.common.kernel.money import format_amount
from services.escrow.domain.orders import Comment, Milestone, Order


def order_view(order: Order) -> replies.Order:
    """Show an order with its parts."""
    return replies.Order(
        id=order.id,
        client_order_ref=order.client_order_ref,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        amount=format_amount(order.amount),
        currency=order.quoted_currency,
        status=order.status,
        final_status=order.final_status,
        title=order.title,
        description=order.description,
        metadata=order.metadata,
        platform_fee_bps=order.fee_bps,
        milestones=milestone_views(order),
        escrow=None if order.escrow is None else escrow_view(order),
        dispute=None if order.dispute is None else dispute_view(order),
        created_at=wire_time(order.created_at),
        updated_at=wire_time(order.updated_at),
    )


def standing(order: Order) -> replies.OrderStanding:
    """Say where an order stands: what a record of a change keeps of the state before it."""
    return replies.OrderStanding(
        status=order.status,
        escrow_status=None if order.escrow is None else order.escrow.status,
        dispute_status=None if order.dispute is None else order.dispute.status,
        open_milestones=sum(milestone.completed_at is None for milestone in order.milestones),
    )


def milestone_views(order: Order) -> tuple[replies.Milestone, ...]:
    """Show the milestones of an order."""
    return tuple(_milestone_view(milestone) for milestone in order.milestones)


def escrow_view(order: Order) -> replies.Escrow:
    """Show the escrow of an order that has one; how it was divided shows once the books have it."""
    escrow = order.escrow
    if escrow is None:
        raise InvariantViolationError(f"{order.id} has no escrow to show")
    shares = escrow.shares
    at = _instant(escrow.settled_at)
    return replies.Escrow(
        escrow_id=order.escrow_id,
        order_id=order.id,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        amount=format_amount(order.amount),
        currency=order.quoted_currency,
        status=escrow.status,
        created_at=wire_time(escrow.created_at),
        funded_at=_instant(escrow.funded_at),
        released_amount=format_amount(shares.released) if shares and shares.released else None,
        released_at=at if shares and shares.released else None,
        refunded_amount=format_amount(shares.buyer) if shares and shares.buyer else None,
        refunded_at=at if shares and shares.buyer else None,
        platform_fee=format_amount(shares.fee) if shares else None,
        net_amount=format_amount(shares.seller) if shares else None,
    )


def dispute_view(order: Order) -> replies.Dispute:
    """Show the dispute of an order that has one; the amounts are those the decision moved."""
    dispute = order.dispute
    if dispute is None:
        raise InvariantViolationError(f"{order.id} has no dispute to show")
    shares = None if order.escrow is None or dispute.decision is None else order.escrow.shares
    return replies.Dispute(
        id=order.dispute_id,
        order_id=order.id,
        opened_by=dispute.opened_by,
        reason=dispute.reason,
        description=dispute.description,
        evidence=dispute.evidence,
        status=dispute.status,
        assigned_to=dispute.assigned_to,
        decision=dispute.decision,
        decision_note=dispute.decision_note,
        release_amount=None if shares is None else format_amount(shares.released),
        refund_amount=None if shares is None else format_amount(shares.buyer),
        resolved_by=dispute.resolved_by,
        created_at=wire_time(dispute.created_at),
        updated_at=wire_time(dispute.updated_at),
        resolved_at=_instant(dispute.resolved_at),
    )


def comment_view(order: Order, comment: Comment) -> replies.Comment:
    """Show what somebody said on an order's dispute."""
    return replies.Comment(
        id=comment.id,
        dispute_id=order.dispute_id,
        user_id=comment.user_id,
        message=comment.message,
        attachments=comment.attachments,
        created_at=wire_time(comment.created_at),
    )


def _milestone_view(milestone: Milestone) -> replies.Milestone:
    return replies.Milestone(
        id=milestone.id,
        ref=milestone.ref,
        title=milestone.title,
        description=milestone.description,
        amount=format_amount(milestone.amount),
        status=milestone.status,
        completed_at=_instant(milestone.completed_at),
    )


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else wire_time(instant)

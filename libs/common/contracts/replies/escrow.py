"""What escrow answers, in the public form. Amounts are decimal strings."""

from typing import Annotated, Any, Literal

import msgspec

from libs.common.contracts.replies.kinds import (
    Amount,
    CommentId,
    DisputeId,
    EscrowId,
    Instant,
    MilestoneId,
    OrderId,
    QuotedCurrency,
    UserId,
    one_of,
)

OrderStatus = Literal["ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING", "IN_PROGRESS", "DISPUTED", "CLOSED"]
FinalStatus = Literal["RELEASED", "REFUNDED", "SPLIT", "CANCELED"]
EscrowStatus = Literal["PENDING", "FUNDED", "DISPUTED", "RELEASED", "REFUNDED", "SPLIT", "CANCELED"]
MilestoneStatus = Literal["OPEN", "COMPLETED"]
DisputeStatus = Literal["OPEN", "UNDER_REVIEW", "RESOLVED"]
DisputeReason = Literal["NOT_DELIVERED", "QUALITY_ISSUE", "OTHER"]
Decision = Literal["FULL_RELEASE", "FULL_REFUND", "SPLIT"]
Side = Literal["BUYER", "SELLER"]


class Milestone(msgspec.Struct, frozen=True):
    """A part of an order: OPEN until it is COMPLETED."""

    id: MilestoneId
    ref: str
    title: str
    description: str | None
    amount: Amount
    status: Annotated[str, one_of(MilestoneStatus)]
    completed_at: Instant | None


class OrderStanding(msgspec.Struct, frozen=True):
    """Where an order stood before a command changed it."""

    status: str
    escrow_status: str | None
    dispute_status: str | None
    open_milestones: int


class Escrow(msgspec.Struct, frozen=True):
    """The money held for an order: PENDING, FUNDED, DISPUTED, RELEASED, REFUNDED, SPLIT, or CANCELED before it was funded."""

    escrow_id: EscrowId
    order_id: OrderId
    buyer_id: UserId
    seller_id: UserId
    amount: Amount
    currency: QuotedCurrency
    status: Annotated[str, one_of(EscrowStatus)]
    created_at: Instant
    funded_at: Instant | None = None
    released_amount: Amount | None = None
    released_at: Instant | None = None
    refunded_amount: Amount | None = None
    refunded_at: Instant | None = None
    platform_fee: Amount | None = None
    net_amount: Amount | None = None


class Comment(msgspec.Struct, frozen=True):
    """What somebody said on a dispute."""

    id: CommentId
    dispute_id: DisputeId
    user_id: UserId | None
    message: str
    attachments: tuple[str, ...]
    created_at: Instant


class Dispute(msgspec.Struct, frozen=True):
    """A contest: OPEN, UNDER_REVIEW or RESOLVED."""

    id: DisputeId
    order_id: OrderId
    opened_by: Annotated[str, one_of(Side)]
    reason: Annotated[str, one_of(DisputeReason)]
    description: str | None
    evidence: tuple[str, ...]
    status: Annotated[str, one_of(DisputeStatus)]
    assigned_to: str | None
    decision: Annotated[str, one_of(Decision)] | None
    decision_note: str | None
    release_amount: Amount | None
    refund_amount: Amount | None
    resolved_by: str | None
    created_at: Instant
    updated_at: Instant
    resolved_at: Instant | None


class Order(msgspec.Struct, frozen=True):
    """A sale with its milestones, escrow and dispute."""

    id: OrderId
    client_order_ref: str | None
    buyer_id: UserId
    seller_id: UserId
    amount: Amount
    currency: QuotedCurrency
    status: Annotated[str, one_of(OrderStatus)]
    final_status: Annotated[str, one_of(FinalStatus)] | None
    title: str
    description: str | None
    metadata: dict[str, Any] | None
    platform_fee_bps: int
    milestones: tuple[Milestone, ...]
    escrow: Escrow | None
    dispute: Dispute | None
    created_at: Instant
    updated_at: Instant


class Milestones(msgspec.Struct, frozen=True):
    """The milestones of an order, in its own order."""

    data: tuple[Milestone, ...]


class Comments(msgspec.Struct, frozen=True):
    """What was said on a dispute, oldest first."""

    data: tuple[Comment, ...]

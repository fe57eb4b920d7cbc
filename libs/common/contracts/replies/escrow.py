"""What escrow answers, in the public form. Amounts are decimal strings."""

from typing import Any

import msgspec


class Milestone(msgspec.Struct, frozen=True):
    """A part of an order: OPEN until it is COMPLETED."""

    id: str
    ref: str
    title: str
    description: str | None
    amount: str
    status: str
    completed_at: str | None


class Escrow(msgspec.Struct, frozen=True):
    """The money held for an order: PENDING, FUNDED, DISPUTED, RELEASED, REFUNDED, SPLIT, or CANCELED before it was funded."""

    escrow_id: str
    order_id: str
    buyer_id: str
    seller_id: str
    amount: str
    currency: str
    status: str
    created_at: str
    funded_at: str | None = None
    released_amount: str | None = None
    released_at: str | None = None
    refunded_amount: str | None = None
    refunded_at: str | None = None
    platform_fee: str | None = None
    net_amount: str | None = None


class Comment(msgspec.Struct, frozen=True):
    """What somebody said on a dispute."""

    id: str
    dispute_id: str
    user_id: str | None
    message: str
    attachments: tuple[str, ...]
    created_at: str


class Dispute(msgspec.Struct, frozen=True):
    """A contest: OPEN, UNDER_REVIEW or RESOLVED."""

    id: str
    order_id: str
    opened_by: str
    reason: str
    description: str | None
    evidence: tuple[str, ...]
    status: str
    assigned_to: str | None
    decision: str | None
    decision_note: str | None
    release_amount: str | None
    refund_amount: str | None
    resolved_by: str | None
    created_at: str
    updated_at: str
    resolved_at: str | None


class Order(msgspec.Struct, frozen=True):
    """A sale with its milestones, escrow and dispute."""

    id: str
    client_order_ref: str | None
    buyer_id: str
    seller_id: str
    amount: str
    currency: str
    status: str
    final_status: str | None
    title: str
    description: str | None
    metadata: dict[str, Any] | None
    platform_fee_bps: int
    milestones: tuple[Milestone, ...]
    escrow: Escrow | None
    dispute: Dispute | None
    created_at: str
    updated_at: str


class Milestones(msgspec.Struct, frozen=True):
    """The milestones of an order, in its own order."""

    data: tuple[Milestone, ...]


class Comments(msgspec.Struct, frozen=True):
    """What was said on a dispute, oldest first."""

    data: tuple[Comment, ...]

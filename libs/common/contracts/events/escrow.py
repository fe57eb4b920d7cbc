"""What escrow announces. Amounts are decimal strings, instants ISO 8601; escrow statuses are lower case here."""

import msgspec


class OrderEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """order.created, order.funds_reserved, order.in_progress, order.closed and their neighbours."""

    order_id: str
    buyer_id: str
    seller_id: str
    amount: str
    currency: str
    status: str
    client_order_ref: str | None = None
    escrow_id: str | None = None
    final_status: str | None = None
    reason: str | None = None
    title: str | None = None


class EscrowEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """escrow.created, escrow.funded, escrow.released, escrow.refunded and escrow.disputed."""

    escrow_id: str
    order_id: str
    contract_id: str
    """The custodial contract: the order's account in our books."""
    buyer_id: str
    seller_id: str
    amount: str
    currency: str
    status: str
    funded_at: str | None = None
    released_at: str | None = None
    released_amount: str | None = None
    refunded_at: str | None = None
    refunded_amount: str | None = None
    platform_fee: str | None = None
    dispute_id: str | None = None
    opened_by: str | None = None
    reason: str | None = None


class MilestoneCompleted(msgspec.Struct, frozen=True):
    """Announced as escrow.milestone_completed."""

    escrow_id: str
    order_id: str
    milestone_ref: str
    milestone_title: str
    amount: str
    completed_at: str


class DisputeEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """dispute.opened, dispute.under_review, dispute.comment_added and dispute.resolved."""

    dispute_id: str
    order_id: str
    status: str
    opened_by: str | None = None
    reason: str | None = None
    assigned_to: str | None = None
    comment_id: str | None = None
    user_id: str | None = None
    decision: str | None = None
    decision_note: str | None = None
    resolved_by: str | None = None
    seller_amount: str | None = None
    buyer_amount: str | None = None

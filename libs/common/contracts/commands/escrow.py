"""What escrow obeys. Amounts are stroops (10⁻⁷)."""

from typing import Any, Literal

import msgspec

from libs.common.kernel.money import Currency


class NewMilestone(msgspec.Struct, frozen=True):
    """A part of an order as its creator states it; `ref` is unique in the order."""

    ref: str
    title: str
    amount: int
    description: str | None = None


class CreateOrder(msgspec.Struct, frozen=True):
    """Agree on a sale; moves no money. Milestone amounts add up to `amount`."""

    order_id: str
    buyer_id: str
    seller_id: str
    amount: int
    currency: Currency
    quoted_currency: str
    """What the caller wrote: USD, USDC or XLM; shown back as it came."""
    title: str
    description: str | None = None
    client_order_ref: str | None = None
    milestones: tuple[NewMilestone, ...] = ()
    metadata: dict[str, Any] | None = None


class ReserveOrder(msgspec.Struct, frozen=True):
    """Keep the buyer's money for the order."""

    order_id: str
    amount: int | None = None
    """When given it must be the order's own."""


class CancelOrder(msgspec.Struct, frozen=True):
    """Call the order off while nothing is in escrow; a reservation goes back to the buyer."""

    order_id: str
    reason: str | None = None


class CompleteMilestone(msgspec.Struct, frozen=True):
    """Mark a part of the work as done."""

    order_id: str
    ref: str


class CreateEscrow(msgspec.Struct, frozen=True):
    """Open the escrow of an order whose money is reserved."""

    order_id: str
    amount: int
    currency: Currency


class FundEscrow(msgspec.Struct, frozen=True):
    """Move the reserved money into escrow."""

    order_id: str


class ReleaseOrder(msgspec.Struct, frozen=True):
    """Pay the seller out of escrow, less the platform's fee."""

    order_id: str
    reason: str | None = None
    requested_by: str | None = None


class RefundOrder(msgspec.Struct, frozen=True):
    """Give the escrowed money back to the buyer."""

    order_id: str
    reason: str | None = None
    requested_by: str | None = None


class OpenDispute(msgspec.Struct, frozen=True):
    """Contest an order: nothing moves until it is resolved."""

    order_id: str
    opened_by: str
    """BUYER, SELLER or the user id of one of them."""
    reason: str = "OTHER"
    description: str | None = None
    evidence: tuple[str, ...] = ()


class AssignDispute(msgspec.Struct, frozen=True):
    """Give a dispute to an agent, who reviews it."""

    dispute_id: str
    assigned_to: str
    notes: str | None = None


class CommentDispute(msgspec.Struct, frozen=True):
    """Say something on a dispute."""

    dispute_id: str
    comment_id: str
    user_id: str | None
    message: str
    attachments: tuple[str, ...] = ()


class ResolveDispute(msgspec.Struct, frozen=True):
    """End a dispute: all to the seller, all to the buyer, or an exact split of the whole."""

    dispute_id: str
    decision: Literal["FULL_RELEASE", "FULL_REFUND", "SPLIT"]
    resolved_by: str
    release_amount: int | None = None
    refund_amount: int | None = None
    note: str | None = None

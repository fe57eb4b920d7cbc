"""An order with its milestones, escrow and dispute: one aggregate, one row, one lock. Amounts are stroops (10⁻⁷)."""

from datetime import datetime
from typing import Any, Final

import msgspec

from libs.common.contracts.commands.ledger import PostJournal
from libs.common.kernel.ids import sibling_id
from libs.common.kernel.money import Currency
from services.escrow.domain.shares import Shares
from services.escrow.domain.states import (
    DisputeStatus,
    EscrowStatus,
    FinalStatus,
    MilestoneStatus,
    OrderAction,
    OrderStatus,
)

COMMENTS_MAX: Final = 200
"""Comments on one dispute: they travel with their order, so they are bounded."""


class Milestone(msgspec.Struct, frozen=True):
    """A part of the work; completing it moves no money."""

    id: str
    ref: str
    title: str
    description: str | None
    amount: int
    status: MilestoneStatus = MilestoneStatus.OPEN
    completed_at: datetime | None = None


class Escrow(msgspec.Struct, frozen=True):
    """The money held for an order; how it was divided is known once it has been settled."""

    status: EscrowStatus
    created_at: datetime
    funded_at: datetime | None = None
    settled_at: datetime | None = None
    shares: Shares | None = None


class Dispute(msgspec.Struct, frozen=True):
    """A contest over an order, which has at most one."""

    status: DisputeStatus
    opened_by: str
    """BUYER or SELLER."""
    reason: str
    description: str | None
    evidence: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    assigned_to: str | None = None
    notes: str | None = None
    """The agent's own; never shown."""
    decision: str | None = None
    decision_note: str | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None


class Comment(msgspec.Struct, frozen=True):
    """What somebody said on a dispute."""

    id: str
    user_id: str | None
    message: str
    attachments: tuple[str, ...]
    created_at: datetime


class Resolution(msgspec.Struct, frozen=True):
    """How an agent decided a dispute."""

    decision: str
    resolved_by: str
    note: str | None


class Pending(msgspec.Struct, frozen=True):
    """An intent: what was asked of the ledger, and what the order becomes when the books have it."""

    action: OrderAction
    version: int
    """The order's version when the intent was recorded: the answer to any other is stale."""
    command_id: str
    """Who asked for it and awaits the answer."""
    journal_id: str
    journal: PostJournal
    """Exactly what was sent, so that it can be sent again."""
    shares: Shares | None = None
    reason: str | None = None
    resolution: Resolution | None = None


class Order(msgspec.Struct, frozen=True):
    """A sale between two parties. `sequence` counts its events, `version` its changes.

    A status read from its own column is plain text that equals its member: compare with `==`, never with `is`.
    """

    tenant: str
    id: str
    client_order_ref: str | None
    buyer_id: str
    seller_id: str
    amount: int
    currency: Currency
    quoted_currency: str
    """What the caller wrote: USD, USDC or XLM."""
    title: str
    description: str | None
    metadata: dict[str, Any] | None
    fee_bps: int
    """The platform's fee in basis points, frozen when the order was made."""
    status: OrderStatus
    final_status: FinalStatus | None
    milestones: tuple[Milestone, ...]
    escrow: Escrow | None
    dispute: Dispute | None
    comments: tuple[Comment, ...]
    dispute_status: DisputeStatus | None
    """This and the next two repeat what the dispute says, as columns that lists are filtered by."""
    dispute_opened_by: str | None
    dispute_opened_at: datetime | None
    version: int
    sequence: int
    pending: Pending | None
    pending_since: datetime | None
    pending_tries: int
    pending_due: datetime | None
    """When the sweeper sends the intent again."""
    created_at: datetime
    updated_at: datetime

    @property
    def escrow_id(self) -> str:
        """The id of its escrow."""
        return sibling_id("esc", self.id)

    @property
    def dispute_id(self) -> str:
        """The id of its dispute."""
        return sibling_id("dsp", self.id)


def order_of_dispute(dispute_id: str) -> str:
    """Name the order that a dispute id belongs to."""
    return sibling_id("ord", dispute_id)


def changed(order: Order, now: datetime, **changes: Any) -> Order:  # noqa: ANN401 - the fields of an order
    """Return the next version of an order."""
    return msgspec.structs.replace(order, version=order.version + 1, updated_at=now, **changes)


def contested(dispute: Dispute) -> dict[str, Any]:
    """Write a dispute as the fields of its order: the part itself, and the columns that repeat it."""
    return {
        "dispute": dispute,
        "dispute_status": dispute.status,
        "dispute_opened_by": dispute.opened_by,
        "dispute_opened_at": dispute.created_at,
    }

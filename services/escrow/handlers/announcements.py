"""What escrow announces: every event of an order, its escrow and its dispute, numbered on the order."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from libs.common.contracts import accounts
from libs.common.contracts.events.escrow import DisputeEvent, EscrowEvent, MilestoneCompleted, OrderEvent
from libs.common.kernel.clock import wire_time
from libs.common.kernel.money import format_amount
from libs.common.messaging.use_cases import Announce
from services.escrow.domain.orders import Milestone, Order, Pending
from services.escrow.domain.states import OrderAction
from services.escrow.handlers.views import dispute_view, escrow_view

Saying = tuple[str, msgspec.Struct]
"""An event's type and data."""


def tell(order: Order, *sayings: Saying) -> tuple[Order, tuple[Announce, ...]]:
    """Number what is said of an order; return the order that counted it, and the events."""
    users = (order.buyer_id, order.seller_id)
    events = tuple(
        Announce(kind, f"order:{order.id}", order.sequence + place, data, user_ids=users)
        for place, (kind, data) in enumerate(sayings, 1)
    )
    return msgspec.structs.replace(order, sequence=order.sequence + len(events)), events


def of_order(kind: str, order: Order, *, reason: str | None = None) -> Saying:
    """Say something of an order as it stands now."""
    return kind, OrderEvent(
        order_id=order.id,
        buyer_id=order.buyer_id,
        seller_id=order.seller_id,
        amount=format_amount(order.amount),
        currency=order.quoted_currency,
        status=order.status,
        client_order_ref=order.client_order_ref,
        escrow_id=None if order.escrow is None else order.escrow_id,
        final_status=order.final_status,
        reason=reason,
        title=order.title,
    )


def of_escrow(kind: str, order: Order, **more: str | None) -> Saying:
    """Say something of an order's escrow as it stands now."""
    view = escrow_view(order)
    return kind, EscrowEvent(
        escrow_id=view.escrow_id,
        order_id=view.order_id,
        contract_id=accounts.escrow(order.id),
        buyer_id=view.buyer_id,
        seller_id=view.seller_id,
        amount=view.amount,
        currency=view.currency,
        status=view.status.lower(),
        funded_at=view.funded_at,
        released_at=view.released_at,
        released_amount=view.released_amount,
        refunded_at=view.refunded_at,
        refunded_amount=view.refunded_amount,
        platform_fee=view.platform_fee,
        **more,
    )


def of_milestone(order: Order, milestone: Milestone) -> Saying:
    """Say that a part of the work is done."""
    return "escrow.milestone_completed", MilestoneCompleted(
        escrow_id=order.escrow_id,
        order_id=order.id,
        milestone_ref=milestone.ref,
        milestone_title=milestone.title,
        amount=format_amount(milestone.amount),
        completed_at=wire_time(milestone.completed_at or order.updated_at),
    )


def of_dispute(kind: str, order: Order, **more: str | None) -> Saying:
    """Say something of an order's dispute as it stands now."""
    view = dispute_view(order)
    return kind, DisputeEvent(
        dispute_id=view.id,
        order_id=view.order_id,
        status=view.status,
        opened_by=view.opened_by,
        reason=view.reason,
        assigned_to=view.assigned_to,
        decision=view.decision,
        decision_note=view.decision_note,
        resolved_by=view.resolved_by,
        seller_amount=view.release_amount,
        buyer_amount=view.refund_amount,
        **more,
    )


def of_cancel(order: Order, reason: str | None) -> tuple[Saying, ...]:
    """Say that an order was called off."""
    return of_order("order.canceled", order, reason=reason), of_order("order.closed", order)


def of_settlement(order: Order, pending: Pending) -> tuple[Saying, ...]:
    """Say what the answer of the ledger has made of an order, the request for it included."""
    return _SETTLED[pending.action](order, pending)


def _reserved(order: Order, _: Pending) -> tuple[Saying, ...]:
    return (of_order("order.funds_reserved", order),)


def _canceled(order: Order, pending: Pending) -> tuple[Saying, ...]:
    return of_cancel(order, pending.reason)


def _funded(order: Order, _: Pending) -> tuple[Saying, ...]:
    return of_escrow("escrow.funded", order), of_order("order.escrow_funded", order), of_order("order.in_progress", order)


def _released(order: Order, pending: Pending) -> tuple[Saying, ...]:
    requested = of_order("order.release_requested", order, reason=pending.reason)
    return requested, of_escrow("escrow.released", order), of_order("order.released", order), of_order("order.closed", order)


def _refunded(order: Order, pending: Pending) -> tuple[Saying, ...]:
    requested = of_order("order.refund_requested", order, reason=pending.reason)
    return requested, of_escrow("escrow.refunded", order), of_order("order.refunded", order), of_order("order.closed", order)


def _resolved(order: Order, pending: Pending) -> tuple[Saying, ...]:
    """Each party hears of its own part; a split order is neither released nor refunded, only closed."""
    shares: Any = pending.shares
    said = [of_dispute("dispute.resolved", order)]
    if shares.released:
        said.append(of_escrow("escrow.released", order, dispute_id=order.dispute_id))
    if shares.buyer:
        said.append(of_escrow("escrow.refunded", order, dispute_id=order.dispute_id))
    if order.final_status != "SPLIT":
        said.append(of_order("order.released" if shares.released else "order.refunded", order))
    return *said, of_order("order.closed", order)


_SETTLED: Final[dict[OrderAction, Callable[[Order, Pending], tuple[Saying, ...]]]] = {
    OrderAction.RESERVE: _reserved,
    OrderAction.CANCEL: _canceled,
    OrderAction.FUND: _funded,
    OrderAction.RELEASE: _released,
    OrderAction.REFUND: _refunded,
    OrderAction.RESOLVE: _resolved,
}

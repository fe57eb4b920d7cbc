"""What an order becomes when the journal of its intent is in the books."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from libs.common.kernel.errors import InvariantViolationError
from services.escrow.domain.intents import dropped
from services.escrow.domain.orders import Escrow, Order, Pending, changed, contested
from services.escrow.domain.states import (
    DISPUTE,
    ORDER,
    DisputeAction,
    EscrowStatus,
    FinalStatus,
    OrderAction,
    OrderStatus,
)

Effect = Callable[[Order, Pending, datetime], Order]

_ENDS: Final = {"FULL_RELEASE": FinalStatus.RELEASED, "FULL_REFUND": FinalStatus.REFUNDED, "SPLIT": FinalStatus.SPLIT}


def settled(order: Order, pending: Pending, now: datetime) -> Order:
    """Finish an intent.

    Raises:
        InvariantViolationError: the order can't have got where it is while this was under way.
    """
    status = ORDER.after(order.status, pending.action)
    if status is None:
        raise InvariantViolationError(f"{order.id} is {order.status} with {pending.action} under way")
    moved = msgspec.structs.replace(dropped(order, now), status=status)
    return _EFFECTS[pending.action](moved, pending, now)


def called_off(order: Order, now: datetime) -> Order:
    """Close an order for which nothing was put by."""
    return _canceled(changed(order, now, status=OrderStatus.CLOSED), None, now)


def _reserved(order: Order, _: Pending, __: datetime) -> Order:
    return order


def _canceled(order: Order, _: Pending | None, now: datetime) -> Order:
    escrow = order.escrow
    if escrow is not None:
        escrow = msgspec.structs.replace(escrow, status=EscrowStatus.CANCELED, settled_at=now)
    return msgspec.structs.replace(order, final_status=FinalStatus.CANCELED, escrow=escrow)


def _funded(order: Order, _: Pending, now: datetime) -> Order:
    escrow = msgspec.structs.replace(_escrow(order), status=EscrowStatus.FUNDED, funded_at=now)
    return msgspec.structs.replace(order, escrow=escrow)


def _released(order: Order, pending: Pending, now: datetime) -> Order:
    return _paid_out(order, pending, FinalStatus.RELEASED, now)


def _refunded(order: Order, pending: Pending, now: datetime) -> Order:
    return _paid_out(order, pending, FinalStatus.REFUNDED, now)


def _resolved(order: Order, pending: Pending, now: datetime) -> Order:
    resolution, dispute = pending.resolution, order.dispute
    status = None if dispute is None else DISPUTE.after(dispute.status, DisputeAction.RESOLVE)
    if resolution is None or dispute is None or status is None:
        raise InvariantViolationError(f"{order.id} is to be resolved without a decision or an open dispute")
    decided = msgspec.structs.replace(
        dispute,
        status=status,
        assigned_to=dispute.assigned_to or resolution.resolved_by,
        decision=resolution.decision,
        decision_note=resolution.note,
        resolved_by=resolution.resolved_by,
        resolved_at=now,
        updated_at=now,
    )
    closed = _paid_out(order, pending, _ENDS[resolution.decision], now)
    return msgspec.structs.replace(closed, **contested(decided))


def _paid_out(order: Order, pending: Pending, final: FinalStatus, now: datetime) -> Order:
    escrow = msgspec.structs.replace(_escrow(order), status=EscrowStatus(final), settled_at=now, shares=pending.shares)
    return msgspec.structs.replace(order, final_status=final, escrow=escrow)


def _escrow(order: Order) -> Escrow:
    if order.escrow is None:
        raise InvariantViolationError(f"{order.id} has no escrow")
    return order.escrow


_EFFECTS: Final[dict[OrderAction, Effect]] = {
    OrderAction.RESERVE: _reserved,
    OrderAction.CANCEL: _canceled,
    OrderAction.FUND: _funded,
    OrderAction.RELEASE: _released,
    OrderAction.REFUND: _refunded,
    OrderAction.RESOLVE: _resolved,
}

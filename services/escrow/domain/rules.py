"""What stands in the way of an action, as refusals."""

from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import Currency, format_amount
from services.escrow.domain.orders import Milestone, Order
from services.escrow.domain.states import DISPUTE, ORDER, DisputeAction, DisputeStatus, MilestoneStatus, OrderAction, OrderStatus


def order_not_found(order_id: str) -> Refusal:
    """Say that there is no such order."""
    return Refusal("ORDER_NOT_FOUND", "No such order", {"order_id": order_id})


def escrow_not_found(order_id: str) -> Refusal:
    """Say that the order has no escrow."""
    return Refusal("ESCROW_NOT_FOUND", "The order has no escrow yet", {"order_id": order_id})


def dispute_not_found(dispute_id: str) -> Refusal:
    """Say that there is no such dispute."""
    return Refusal("DISPUTE_NOT_FOUND", "No such dispute", {"dispute_id": dispute_id})


def guard(order: Order, action: OrderAction) -> Refusal | None:
    """Refuse an action that the order's state does not allow, or that has to wait for the ledger's answer to another."""
    if order.pending is not None:
        details = _place(order, action) | {"pending": str(order.pending.action), "retryable": True}
        return Refusal("INVALID_STATE", f"The order's {order.pending.action} is under way: try again", details)
    if ORDER.after(order.status, action) is None:
        return Refusal("INVALID_STATE", f"An order that is {order.status} does not allow {action}", _state(order, action))
    return None


def not_disputed(order: Order) -> Refusal | None:
    """Refuse to settle, or to contest again, what is contested."""
    if order.status == OrderStatus.DISPUTED:
        details = {"order_id": order.id, "dispute_id": order.dispute_id, "allowed_actions": [str(OrderAction.RESOLVE)]}
        return Refusal("DISPUTE_ALREADY_OPEN", "The order is disputed: resolve the dispute first", details)
    return None


def guard_dispute(order: Order, status: DisputeStatus, action: DisputeAction) -> Refusal | None:
    """Refuse what a dispute's state does not allow."""
    if DISPUTE.after(status, action) is None:
        details = {
            "dispute_id": order.dispute_id,
            "order_id": order.id,
            "current_state": str(status),
            "allowed_states": [str(allowed) for allowed in DISPUTE.allowing(action)],
            "allowed_actions": [str(possible) for possible in DISPUTE.possible(status)],
        }
        return Refusal("INVALID_STATE", f"A dispute that is {status} does not allow {action}", details)
    return None


def all_completed(order: Order) -> Refusal | None:
    """Refuse to release while a part of the work is open."""
    missing = [milestone.ref for milestone in order.milestones if milestone.status == MilestoneStatus.OPEN]
    if missing:
        possible = [str(action) for action in ORDER.possible(order.status) if action != OrderAction.RELEASE]
        details = _state(order, OrderAction.RELEASE) | {"allowed_actions": possible, "incomplete_milestones": missing}
        return Refusal("INVALID_STATE", "Some milestones are not completed", details)
    return None


def still_open(order: Order, milestone: Milestone) -> Refusal | None:
    """Refuse to complete what is completed; what can be done next is told as for the order."""
    if milestone.status == MilestoneStatus.OPEN:
        return None
    details = _state(order, OrderAction.COMPLETE_MILESTONE) | {
        "milestone_ref": milestone.ref,
        "current_state": str(milestone.status),
        "allowed_states": [str(MilestoneStatus.OPEN)],
    }
    missing = [part.ref for part in order.milestones if part.status == MilestoneStatus.OPEN]
    if missing:
        details |= {"allowed_actions": [str(OrderAction.COMPLETE_MILESTONE)], "incomplete_milestones": missing}
    return Refusal("INVALID_STATE", "The milestone is completed already", details)


def same_amount(order: Order, amount: int | None) -> Refusal | None:
    """Refuse an amount that is not the order's."""
    if amount is not None and amount != order.amount:
        details = {"order_amount": format_amount(order.amount), "requested": format_amount(amount)}
        return Refusal("RESERVE_MISMATCH_AMOUNT", "The amount is not the order's", details)
    return None


def same_currency(order: Order, currency: Currency) -> Refusal | None:
    """Refuse a currency that is not the order's; USD and USDC are the same one in the books."""
    if currency != order.currency:
        details = {"order_currency": order.quoted_currency, "requested": currency}
        return Refusal("INVALID_CURRENCY", "The currency is not the order's", details)
    return None


def acts_for(order: Order, actor: str | None, *, allowed: tuple[str, ...]) -> Refusal | None:
    """Refuse an actor who is named and is none of those allowed."""
    if actor is not None and actor not in allowed:
        details = {"order_id": order.id, "actor": actor, "allowed": list(allowed)}
        return Refusal("FORBIDDEN_ACTOR", "This party may not do that", details)
    return None


def _state(order: Order, action: OrderAction) -> dict[str, object]:
    details = _place(order, action) | {"allowed_actions": [str(possible) for possible in ORDER.possible(order.status)]}
    return details if order.dispute is None else details | {"dispute_id": order.dispute_id}


def _place(order: Order, action: OrderAction) -> dict[str, object]:
    return {
        "order_id": order.id,
        "current_state": str(order.status),
        "allowed_states": [str(status) for status in ORDER.allowing(action)],
    }

"""Call an order off while nothing is in escrow."""

from libs.common.contracts.commands.escrow import CancelOrder
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain import journals
from services.escrow.domain.intents import intend
from services.escrow.domain.rules import guard, order_not_found
from services.escrow.domain.settlement import called_off
from services.escrow.domain.states import OrderAction, OrderStatus
from services.escrow.handlers.announcements import of_cancel, tell
from services.escrow.handlers.asking import ask_ledger, done, needs_order
from services.escrow.handlers.views import order_view
from services.escrow.store.rows import ORDERS


def needs(message: CancelOrder, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: CancelOrder, context: Context) -> Decision:
    """Close it at once when no money was put by; else when the ledger has given it back."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    refusal = guard(order, OrderAction.CANCEL)
    if refusal is not None:
        return Decision(reply=refusal)
    if order.status == OrderStatus.ORDER_CREATED:
        closed = called_off(order, context.now)
        closed, events = tell(closed, *of_cancel(closed, message.reason))
        return done(order, closed, events, order_view(closed))
    return ask_ledger(
        *intend(
            order,
            OrderAction.CANCEL,
            journals.cancel(order),
            command_id=context.message_id,
            now=context.now,
            reason=message.reason,
        )
    )

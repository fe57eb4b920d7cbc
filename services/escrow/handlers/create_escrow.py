"""Open the escrow of an order whose money is put by."""

from libs.common.contracts.commands.escrow import CreateEscrow
from libs.common.messaging.use_cases import Context, Decision, refuse
from libs.common.persistence.state import Needs, State
from services.escrow.domain.orders import Escrow, changed
from services.escrow.domain.rules import guard, order_not_found, same_amount, same_currency
from services.escrow.domain.states import ORDER, EscrowStatus, OrderAction
from services.escrow.handlers.announcements import of_escrow, of_order, tell
from services.escrow.handlers.asking import done, needs_order
from services.escrow.handlers.views import escrow_view
from services.escrow.store.rows import ORDERS


def needs(message: CreateEscrow, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: CreateEscrow, context: Context) -> Decision:
    """Open it for exactly what the order is about; the contract is the order's own account in the books."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    if order.escrow is not None:
        return refuse("ESCROW_ALREADY_EXISTS", "The order has an escrow", order_id=order.id, escrow_id=order.escrow_id)
    refusal = (
        guard(order, OrderAction.CREATE_ESCROW) or same_currency(order, message.currency) or same_amount(order, message.amount)
    )
    if refusal is not None:
        return Decision(reply=refusal)
    escrow = Escrow(EscrowStatus.PENDING, created_at=context.now)
    opened = changed(order, context.now, status=ORDER.after(order.status, OrderAction.CREATE_ESCROW), escrow=escrow)
    opened, events = tell(
        opened,
        of_order("order.escrow_creating", opened),
        of_escrow("escrow.created", opened),
        of_order("order.escrow_funding", opened),
    )
    return done(order, opened, events, escrow_view(opened))

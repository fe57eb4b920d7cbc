"""Give the escrowed money back to the buyer."""

from libs.common.contracts.commands.escrow import RefundOrder
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain import journals
from services.escrow.domain.intents import intend
from services.escrow.domain.rules import acts_for, guard, not_disputed, order_not_found
from services.escrow.domain.shares import all_to_buyer
from services.escrow.domain.states import OrderAction
from services.escrow.handlers.asking import ask_ledger, needs_order
from services.escrow.store.rows import ORDERS


def needs(message: RefundOrder, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: RefundOrder, context: Context) -> Decision:
    """Ask the ledger to give all of it back; either party may be named as the one who wants it."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    refusal = (
        not_disputed(order)
        or guard(order, OrderAction.REFUND)
        or acts_for(order, message.requested_by, allowed=(order.buyer_id, order.seller_id))
    )
    if refusal is not None:
        return Decision(reply=refusal)
    shares = all_to_buyer(order.amount)
    return ask_ledger(
        *intend(
            order,
            OrderAction.REFUND,
            journals.pay_out(order, "refund", shares),
            command_id=context.message_id,
            now=context.now,
            shares=shares,
            reason=message.reason,
        )
    )

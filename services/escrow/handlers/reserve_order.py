"""Keep the buyer's money for an order."""

from libs.common.contracts.commands.escrow import ReserveOrder
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain import journals
from services.escrow.domain.intents import intend
from services.escrow.domain.rules import guard, order_not_found, same_amount
from services.escrow.domain.states import OrderAction
from services.escrow.handlers.asking import ask_ledger, needs_order
from services.escrow.store.rows import ORDERS


def needs(message: ReserveOrder, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: ReserveOrder, context: Context) -> Decision:
    """Ask the ledger to put the money by; it says whether the buyer has it."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    refusal = guard(order, OrderAction.RESERVE) or same_amount(order, message.amount)
    if refusal is not None:
        return Decision(reply=refusal)
    journal = journals.reserve(order)
    return ask_ledger(*intend(order, OrderAction.RESERVE, journal, command_id=context.message_id, now=context.now))

"""Move the money that was put by into escrow."""

from libs.common.contracts.commands.escrow import FundEscrow
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain import journals
from services.escrow.domain.intents import intend
from services.escrow.domain.rules import escrow_not_found, guard, order_not_found
from services.escrow.domain.states import OrderAction
from services.escrow.handlers.asking import ask_ledger, needs_order
from services.escrow.store.rows import ORDERS


def needs(message: FundEscrow, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: FundEscrow, context: Context) -> Decision:
    """Ask the ledger to move it."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    if order.escrow is None:
        return Decision(reply=escrow_not_found(order.id))
    refusal = guard(order, OrderAction.FUND)
    if refusal is not None:
        return Decision(reply=refusal)
    journal = journals.fund(order)
    return ask_ledger(*intend(order, OrderAction.FUND, journal, command_id=context.message_id, now=context.now))

"""End a dispute: all to the seller, all to the buyer, or an exact split of the whole."""

from typing import Final

from libs.common.contracts.accounts import JournalKind
from libs.common.contracts.commands.escrow import ResolveDispute
from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain import journals
from services.escrow.domain.disputes import Decision as Verdict
from services.escrow.domain.disputes import shares_of
from services.escrow.domain.intents import intend
from services.escrow.domain.orders import Resolution, order_of_dispute
from services.escrow.domain.rules import dispute_not_found, guard, guard_dispute
from services.escrow.domain.states import DisputeAction, OrderAction
from services.escrow.handlers.asking import ask_ledger, disputed_order, needs_order

_KINDS: Final[dict[Verdict, JournalKind]] = {"FULL_RELEASE": "release", "FULL_REFUND": "refund", "SPLIT": "split"}


def needs(message: ResolveDispute, context: Context) -> Needs:
    """Name the order that the dispute id belongs to."""
    return needs_order(context.tenant, order_of_dispute(message.dispute_id))


def decide(state: State, message: ResolveDispute, context: Context) -> Decision:
    """Ask the ledger to pay out as decided, straight from open or under review."""
    order = disputed_order(state, context.tenant, message.dispute_id)
    if isinstance(order, Refusal):
        return Decision(reply=order)
    if order.dispute is None:
        return Decision(reply=dispute_not_found(message.dispute_id))
    refusal = guard_dispute(order, order.dispute.status, DisputeAction.RESOLVE) or guard(order, OrderAction.RESOLVE)
    if refusal is not None:
        return Decision(reply=refusal)
    shares = shares_of(order, message.decision, release=message.release_amount, refund=message.refund_amount)
    if isinstance(shares, Refusal):
        return Decision(reply=shares)
    return ask_ledger(
        *intend(
            order,
            OrderAction.RESOLVE,
            journals.pay_out(order, _KINDS[message.decision], shares),
            command_id=context.message_id,
            now=context.now,
            shares=shares,
            resolution=Resolution(message.decision, message.resolved_by, message.note),
        )
    )

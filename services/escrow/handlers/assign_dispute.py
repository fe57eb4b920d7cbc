"""Give a dispute to an agent, who reviews it."""

import msgspec

from libs.common.contracts.commands.escrow import AssignDispute
from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain.orders import changed, contested, order_of_dispute
from services.escrow.domain.rules import dispute_not_found, guard, guard_dispute
from services.escrow.domain.states import DISPUTE, DisputeAction, OrderAction
from services.escrow.handlers.announcements import of_dispute, tell
from services.escrow.handlers.asking import disputed_order, done, needs_order
from services.escrow.handlers.views import dispute_view


def needs(message: AssignDispute, context: Context) -> Needs:
    """Name the order that the dispute id belongs to."""
    return needs_order(context.tenant, order_of_dispute(message.dispute_id))


def decide(state: State, message: AssignDispute, context: Context) -> Decision:
    """Put it under review, once; not while its resolution is under way."""
    order = disputed_order(state, context.tenant, message.dispute_id)
    if isinstance(order, Refusal):
        return Decision(reply=order)
    dispute = order.dispute
    if dispute is None:
        return Decision(reply=dispute_not_found(message.dispute_id))
    refusal = guard_dispute(order, dispute.status, DisputeAction.ASSIGN) or guard(order, OrderAction.RESOLVE)
    status = DISPUTE.after(dispute.status, DisputeAction.ASSIGN)
    if refusal is not None or status is None:
        return Decision(reply=refusal)
    assigned = msgspec.structs.replace(
        dispute, status=status, assigned_to=message.assigned_to, notes=message.notes, updated_at=context.now
    )
    reviewed = changed(order, context.now, **contested(assigned))
    reviewed, events = tell(reviewed, of_dispute("dispute.under_review", reviewed))
    return done(order, reviewed, events, dispute_view(reviewed))

"""Mark a part of the work as done; no money moves."""

import msgspec

from libs.common.contracts.commands.escrow import CompleteMilestone
from libs.common.messaging.use_cases import Context, Decision, refuse
from libs.common.persistence.state import Needs, State
from services.escrow.domain.orders import changed
from services.escrow.domain.rules import guard, order_not_found, still_open
from services.escrow.domain.states import MilestoneStatus, OrderAction
from services.escrow.handlers.announcements import of_milestone, tell
from services.escrow.handlers.asking import done, needs_order
from services.escrow.handlers.views import order_view
from services.escrow.store.rows import ORDERS


def needs(message: CompleteMilestone, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: CompleteMilestone, context: Context) -> Decision:
    """Complete it once."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    milestone = next((part for part in order.milestones if part.ref == message.ref), None)
    if milestone is None:
        return refuse("MILESTONE_NOT_FOUND", "No such milestone", order_id=order.id, milestone_ref=message.ref)
    refusal = guard(order, OrderAction.COMPLETE_MILESTONE) or still_open(order, milestone)
    if refusal is not None:
        return Decision(reply=refusal)
    completed = msgspec.structs.replace(milestone, status=MilestoneStatus.COMPLETED, completed_at=context.now)
    parts = tuple(completed if part.ref == message.ref else part for part in order.milestones)
    closer, events = tell(changed(order, context.now, milestones=parts), of_milestone(order, completed))
    return done(order, closer, events, order_view(closer))

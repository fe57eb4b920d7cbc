"""Contest an order: nothing moves until it is resolved."""

import msgspec

from libs.common.contracts.commands.escrow import OpenDispute
from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.escrow.domain.disputes import reason_of, side_of
from services.escrow.domain.orders import Dispute, changed, contested
from services.escrow.domain.rules import escrow_not_found, guard, not_disputed, order_not_found
from services.escrow.domain.states import ORDER, DisputeStatus, EscrowStatus, OrderAction
from services.escrow.handlers.announcements import of_dispute, of_escrow, of_order, tell
from services.escrow.handlers.asking import done, needs_order
from services.escrow.handlers.views import dispute_view
from services.escrow.store.rows import ORDERS


def needs(message: OpenDispute, context: Context) -> Needs:
    """Name the order."""
    return needs_order(context.tenant, message.order_id)


def decide(state: State, message: OpenDispute, context: Context) -> Decision:
    """Freeze the escrow."""
    order = state.get(ORDERS, (context.tenant, message.order_id))
    if order is None:
        return Decision(reply=order_not_found(message.order_id))
    refusal = not_disputed(order) or guard(order, OrderAction.DISPUTE)
    if refusal is not None:
        return Decision(reply=refusal)
    side = side_of(order, message.opened_by)
    if isinstance(side, Refusal):
        return Decision(reply=side)
    if order.escrow is None:
        return Decision(reply=escrow_not_found(order.id))
    reason, description = reason_of(message.reason, message.description)
    now = context.now
    dispute = Dispute(DisputeStatus.OPEN, side, reason, description, message.evidence, created_at=now, updated_at=now)
    frozen = msgspec.structs.replace(order.escrow, status=EscrowStatus.DISPUTED)
    status = ORDER.after(order.status, OrderAction.DISPUTE)
    opened = changed(order, now, status=status, escrow=frozen, **contested(dispute))
    opened, events = tell(
        opened,
        of_dispute("dispute.opened", opened),
        of_order("order.disputed", opened),
        of_escrow("escrow.disputed", opened, dispute_id=opened.dispute_id, opened_by=side, reason=reason),
    )
    return done(order, opened, events, dispute_view(opened))

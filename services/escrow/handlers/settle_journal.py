"""The ledger's answer to an intent: the order moves on, or stays where it was and its caller hears why."""

from typing import Final

import msgspec

from libs.common.contracts.envelope import Reply
from libs.common.messaging.use_cases import Answer, Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.escrow.domain.intents import dropped, read_reference
from services.escrow.domain.orders import Order
from services.escrow.domain.settlement import settled
from services.escrow.domain.states import OrderAction
from services.escrow.handlers.announcements import of_settlement, tell
from services.escrow.handlers.asking import needs_order
from services.escrow.handlers.views import dispute_view, escrow_view, order_view, standing
from services.escrow.store.rows import ORDERS

_SHOWS_ORDER: Final = frozenset({OrderAction.RESERVE, OrderAction.CANCEL})


def needs(_: Reply, context: Context) -> Needs:
    """Name the order that the note on the answer tells of."""
    order_id, _version = read_reference(context.reference)
    return needs_order(context.tenant, order_id)


def decide(state: State, message: Reply, context: Context) -> Decision:
    """Finish the intent; an answer to any but the pending one is stale and changes nothing."""
    order_id, version = read_reference(context.reference)
    order = state.get(ORDERS, (context.tenant, order_id))
    pending = None if order is None else order.pending
    if order is None or pending is None or pending.version != version:
        return Decision()
    if message.refusal is not None:
        refused = row(ORDERS, dropped(order, context.now))
        return Decision(rows=(refused,), answers=(Answer(pending.command_id, message.refusal),))
    moved = settled(order, pending, context.now)
    moved, events = tell(moved, *of_settlement(moved, pending))
    answer = Answer(pending.command_id, _result(moved, pending.action), standing(order))
    return Decision(rows=(row(ORDERS, moved),), events=events, answers=(answer,))


def _result(order: Order, action: OrderAction) -> msgspec.Struct:
    if action in _SHOWS_ORDER:
        return order_view(order)
    return dispute_view(order) if action == OrderAction.RESOLVE else escrow_view(order)

"""How escrow asks the ledger, and how it writes an order down."""

import msgspec

from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Announce, Decision, Send, row
from libs.common.persistence.state import Needs, State
from services.escrow.domain.intents import reference_of
from services.escrow.domain.orders import Order, Pending, order_of_dispute
from services.escrow.domain.rules import dispute_not_found
from services.escrow.handlers.views import standing
from services.escrow.store.rows import ORDERS


def journal_of(order_id: str, pending: Pending) -> Send:
    """Make the question to the ledger; the same intent always makes the same one."""
    return Send("ledger", pending.journal_id, pending.journal, reference_of(order_id, pending.version))


def ask_ledger(order: Order, pending: Pending) -> Decision:
    """Record an intent and send its journal; the caller hears when the ledger has answered."""
    return Decision(rows=(row(ORDERS, order),), commands=(journal_of(order.id, pending),))


def done(before: Order, after: Order, events: tuple[Announce, ...], reply: msgspec.Struct) -> Decision:
    """Write a changed order down and answer at once."""
    return Decision(reply=reply, rows=(row(ORDERS, after),), events=events, before=standing(before))


def needs_order(tenant: str, order_id: str) -> Needs:
    """Name one order."""
    return Needs(rows=((ORDERS, (tenant, order_id)),))


def disputed_order(state: State, tenant: str, dispute_id: str) -> Order | Refusal:
    """Find the order that a dispute id belongs to."""
    order = state.get(ORDERS, (tenant, order_of_dispute(dispute_id)))
    if order is None or order.dispute is None or order.dispute_id != dispute_id:
        return dispute_not_found(dispute_id)
    return order

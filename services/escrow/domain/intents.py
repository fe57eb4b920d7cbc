"""Durable intents: the question to the ledger is recorded first, and the order moves when the books have answered."""

from datetime import datetime, timedelta
from typing import Final

from libs.common.contracts.commands.ledger import PostJournal
from libs.common.kernel.errors import InvariantViolationError, check
from libs.common.kernel.ids import derive_id
from services.escrow.domain.orders import Order, Pending, Resolution, changed
from services.escrow.domain.shares import Shares
from services.escrow.domain.states import ORDER, OrderAction

RESEND_AFTER: Final = timedelta(seconds=3)
"""How long the ledger has to answer before it is asked again."""


def intend(
    order: Order,
    action: OrderAction,
    journal: PostJournal,
    *,
    command_id: str,
    now: datetime,
    shares: Shares | None = None,
    reason: str | None = None,
    resolution: Resolution | None = None,
) -> tuple[Order, Pending]:
    """Record an intent: the status stays what it was, and nothing else may begin until the ledger has answered."""
    check(order.pending is None and ORDER.after(order.status, action) is not None, f"{order.id} does not allow {action}")
    version = order.version + 1
    journal_id = derive_id("jrn", order.tenant, order.id, version)
    pending = Pending(action, version, command_id, journal_id, journal, shares, reason, resolution)
    return changed(order, now, pending=pending, pending_since=now, pending_tries=0, pending_due=now + RESEND_AFTER), pending


def dropped(order: Order, now: datetime) -> Order:
    """Forget an intent: the order is where it was, and a new try gets a new version and so a new journal id."""
    return changed(order, now, pending=None, pending_since=None, pending_tries=0, pending_due=None)


def reference_of(order_id: str, version: int) -> str:
    """Write the note that the ledger gives back with its answer."""
    return f"{order_id}:{version}"


def read_reference(reference: str) -> tuple[str, int]:
    """Read (order id, version) from the note on an answer.

    Raises:
        InvariantViolationError: it is none of ours.
    """
    order_id, _, version = reference.rpartition(":")
    if not order_id or not version.isdecimal():
        raise InvariantViolationError(f"{reference!r} is no reference to an intent")
    return order_id, int(version)

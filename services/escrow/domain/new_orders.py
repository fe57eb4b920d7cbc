"""The rules of a new order."""

from typing import Final

from libs.common.contracts.commands.escrow import CreateOrder
from libs.common.kernel.errors import Refusal, invalid
from libs.common.kernel.money import MAX_STROOPS, format_amount

MILESTONES_MAX: Final = 100


def check_terms(command: CreateOrder) -> Refusal | None:
    """Refuse terms that contradict themselves, before anybody is asked who the parties are."""
    if command.buyer_id == command.seller_id:
        return Refusal("INVALID_REQUEST", "The buyer and the seller must be two users", {"user_id": command.buyer_id})
    if not 0 < command.amount <= MAX_STROOPS:
        return invalid("amount", "the amount must be above zero")
    return _check_milestones(command)


def _check_milestones(command: CreateOrder) -> Refusal | None:
    milestones = command.milestones
    if not milestones:
        return None
    if len(milestones) > MILESTONES_MAX:
        return invalid("milestones", f"an order has at most {MILESTONES_MAX} milestones")
    if len({milestone.ref for milestone in milestones}) < len(milestones):
        return invalid("milestones", "each ref is unique in its order")
    if any(milestone.amount <= 0 for milestone in milestones):
        return invalid("milestones", "the amount of a milestone must be above zero")
    total = sum(milestone.amount for milestone in milestones)
    if total != command.amount:
        details = {"order_amount": format_amount(command.amount), "milestones_total": format_amount(total)}
        return Refusal("INVALID_AMOUNT", "The milestones must add up to the order's amount exactly", details)
    return None

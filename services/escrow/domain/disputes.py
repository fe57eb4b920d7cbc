"""The rules of a dispute: who opens it, why, and what a decision means for the money."""

from typing import Final, Literal, get_args

from libs.common.contracts.replies.escrow import Side
from libs.common.kernel.errors import Refusal, invalid
from libs.common.kernel.money import format_amount
from services.escrow.domain.orders import Order
from services.escrow.domain.rules import acts_for
from services.escrow.domain.shares import Shares, all_to_buyer, all_to_seller, split

SIDES: Final[tuple[str, ...]] = get_args(Side)
"""Who opens a dispute."""
REASONS: Final = frozenset({"NOT_DELIVERED", "QUALITY_ISSUE", "OTHER"})
Decision = Literal["FULL_RELEASE", "FULL_REFUND", "SPLIT"]


def side_of(order: Order, opened_by: str) -> Literal["BUYER", "SELLER"] | Refusal:
    """Tell which party opens a dispute, named by role or by user id."""
    if opened_by in ("BUYER", order.buyer_id):
        return "BUYER"
    if opened_by in ("SELLER", order.seller_id):
        return "SELLER"
    refusal = acts_for(order, opened_by, allowed=("BUYER", "SELLER", order.buyer_id, order.seller_id))
    return refusal or invalid("opened_by", "write BUYER, SELLER or a party's user id")


def reason_of(reason: str, description: str | None) -> tuple[str, str | None]:
    """Sort a reason into ours; free text becomes OTHER and is kept in the description."""
    if reason in REASONS:
        return reason, description
    return "OTHER", reason if description is None else f"{reason}: {description}"


def shares_of(order: Order, decision: Decision, *, release: int | None, refund: int | None) -> Shares | Refusal:
    """Tell what a decision gives to whom; amounts that contradict it are refused, never ignored."""
    if decision == "SPLIT":
        if release is None or refund is None:
            missing = "release_amount" if release is None else "refund_amount"
            return invalid(missing, "a SPLIT names release_amount and refund_amount")
        return split(order.amount, release=release, refund=refund, fee_bps=order.fee_bps)
    to_seller, to_buyer = (order.amount, 0) if decision == "FULL_RELEASE" else (0, order.amount)
    if release not in (None, to_seller) or refund not in (None, to_buyer):
        details = {"decision": decision, "order_amount": format_amount(order.amount)}
        return Refusal("INVALID_AMOUNT", f"{decision} moves the order's whole amount: leave the amounts out", details)
    return all_to_seller(order.amount, fee_bps=order.fee_bps) if to_seller else all_to_buyer(order.amount)

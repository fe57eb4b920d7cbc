"""Who gets what of the money in escrow: the parts always add up to the whole, to the stroop."""

import msgspec

from libs.common.kernel.errors import Refusal, check
from libs.common.kernel.money import format_amount, take_fee


class Shares(msgspec.Struct, frozen=True, gc=False):
    """The parts of an escrow, in stroops (10⁻⁷): to the seller after the fee, to the platform, back to the buyer."""

    seller: int
    fee: int
    buyer: int

    @property
    def released(self) -> int:
        """The seller's part before the fee."""
        return self.seller + self.fee


def all_to_seller(amount: int, *, fee_bps: int) -> Shares:
    """Release the whole; the fee is rounded down."""
    rest, fee = take_fee(amount, basis_points=fee_bps)
    return Shares(rest, fee, 0)


def all_to_buyer(amount: int) -> Shares:
    """Refund the whole: no fee is taken on a sale that did not happen."""
    return Shares(0, 0, amount)


def split(amount: int, *, release: int, refund: int, fee_bps: int) -> Shares | Refusal:
    """Divide the whole as it was decided; the fee comes out of the seller's part."""
    if release < 0 or refund < 0 or release + refund != amount:
        return Refusal(
            "INVALID_AMOUNT",
            "release_amount and refund_amount must add up to the order's amount exactly",
            {
                "order_amount": format_amount(amount),
                "release_amount": format_amount(release),
                "refund_amount": format_amount(refund),
            },
        )
    rest, fee = take_fee(release, basis_points=fee_bps)
    check(rest + fee + refund == amount, "the parts of a split differ from the whole")
    return Shares(rest, fee, refund)

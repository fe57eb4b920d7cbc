"""Whether an account elsewhere can be paid, as far as it can be told beforehand."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from libs.common.kernel.errors import Refusal

ASSET: Final = "USDC"


class Destination(NamedTuple):
    """An account (`G…`), and the currency of the books that it is to be paid in."""

    account: str
    currency: str


def can_not_receive(destination: Destination, lines: Sequence[object], usdc_issuer: str) -> bool:
    """Tell whether the account, with these balances as Horizon shows them, is bound to refuse; its issuer takes back all."""
    if destination.currency == "XLM" or destination.account == usdc_issuer:
        return False
    ours = [
        line
        for line in lines
        if isinstance(line, dict) and (line.get("asset_code"), line.get("asset_issuer")) == (ASSET, usdc_issuer)
    ]
    return not any(line.get("is_authorized", True) for line in ours)


def no_trustline(address: str) -> Refusal:
    """Refuse an account that does not accept the asset."""
    details = {"asset_code": ASSET, "address": address}
    return Refusal("DESTINATION_NO_TRUSTLINE", "The destination can't receive the asset", details)

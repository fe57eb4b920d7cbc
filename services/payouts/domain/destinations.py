"""Whether an account elsewhere can be paid, as far as it can be told beforehand."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from libs.common.kernel.errors import Refusal

ASSET: Final = "USDC"
_CODES: Final = {"USD": ASSET, "XLM": "XLM"}
MEMO_REQUIRED: Final = "config.memo_required"
"""The data entry by which an account asks for memos (SEP-29)…"""
_YES: Final = "MQ=="
"""… and its value, `1`, in base 64."""


class Destination(NamedTuple):
    """An account (`G…`), and the currency of the books that it is to be paid in."""

    account: str
    currency: str


class Sight(NamedTuple):
    """What was seen of an account."""

    can_receive: bool
    wants_memo: bool
    is_there: bool = True


NOT_THERE: Final = Sight(can_receive=False, wants_memo=False, is_there=False)
"""A Horizon says that nobody has opened the account."""


def sight_of(destination: Destination, lines: Sequence[object], data: Mapping[str, object], usdc_issuer: str) -> Sight:
    """Judge an account by its balances and data entries as Horizon shows them; an asset's issuer takes back all."""
    takes_all = destination.currency == "XLM" or destination.account == usdc_issuer
    return Sight(takes_all or _trusts(lines, usdc_issuer), data.get(MEMO_REQUIRED) == _YES)


def _trusts(lines: Sequence[object], usdc_issuer: str) -> bool:
    ours = [
        line
        for line in lines
        if isinstance(line, dict) and (line.get("asset_code"), line.get("asset_issuer")) == (ASSET, usdc_issuer)
    ]
    return any(line.get("is_authorized", True) for line in ours)


def no_trustline(address: str, sight: Sight, currency: str) -> Refusal:
    """Refuse an account that does not accept the asset, or is not there at all."""
    details = {"reason": "NO_TRUSTLINE" if sight.is_there else "NO_ACCOUNT", "asset_code": _CODES[currency], "address": address}
    text = "The destination can't receive the asset" if sight.is_there else "Nobody has opened the destination's account yet"
    return Refusal("DESTINATION_NO_TRUSTLINE", text, details)

"""Whether the treasury covers what is owed, and what pauses an asset. Amounts are stroops."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from libs.common.kernel.money import UNIT, Currency

Cause = Literal["operator", "balance", "fault"]
"""Why an asset is paused: a person said so, the treasury holds too little, or the network refused to let it pay."""
TREASURY_FAULTS: Final = ("op_underfunded", "op_src_no_trust", "op_src_not_authorized")
BASE_RESERVE: Final = UNIT // 2


def spendable(account: dict[str, Any], usdc_issuer: str) -> dict[Currency, int]:
    """Read what an account can pay of each currency from how Horizon shows it; reserves and what is promised are not its to pay.

    Raises:
        ValueError: it can't be read.
    """
    found: dict[Currency, int] = {"USD": 0, "XLM": 0}
    try:
        entries = 2 + sum(
            sign * int(account.get(name, 0))
            for name, sign in (("subentry_count", 1), ("num_sponsoring", 1), ("num_sponsored", -1))
        )
        for line in account["balances"]:
            free = _stroops(line["balance"]) - _stroops(line.get("selling_liabilities", "0"))
            if line["asset_type"] == "native":
                found["XLM"] = max(0, free - entries * BASE_RESERVE)
            elif (line.get("asset_code"), line.get("asset_issuer")) == ("USDC", usdc_issuer) and line.get("is_authorized", True):
                found["USD"] = free
    except (AttributeError, InvalidOperation, KeyError, TypeError) as error:
        raise ValueError(f"no account: {error!r}") from error
    return found


def _stroops(text: str) -> int:
    return int(Decimal(text) * UNIT)

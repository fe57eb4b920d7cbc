"""What an account can pay is read from how Horizon shows it."""

from typing import Any

import pytest

from libs.common.kernel.money import UNIT
from services.payouts.domain.treasury import spendable

ISSUER = "GISSUER"
LUMENS = {"asset_type": "native", "balance": "100.0000000", "selling_liabilities": "1.0000000"}


def _dollars(**changes: Any) -> dict[str, Any]:
    return {"asset_type": "credit_alphanum4", "asset_code": "USDC", "asset_issuer": ISSUER, "balance": "7.0000001"} | changes


@pytest.mark.parametrize(
    ("line", "dollars"),
    [
        (_dollars(), 7 * UNIT + 1),
        (_dollars(selling_liabilities="2.0000000"), 5 * UNIT + 1),
        (_dollars(is_authorized=False), 0),
        (_dollars(asset_issuer="GOTHER"), 0),
        (_dollars(asset_code="EURC"), 0),
    ],
)
def test_dollars_are_those_of_the_issuer_that_may_leave(line: dict[str, Any], dollars: int) -> None:
    assert spendable({"balances": [line, LUMENS]}, ISSUER)["USD"] == dollars


def test_reserves_are_not_an_accounts_to_pay() -> None:
    account = {"subentry_count": 3, "num_sponsoring": 4, "num_sponsored": 1, "balances": [LUMENS]}
    assert spendable(account, ISSUER) == {"USD": 0, "XLM": 95 * UNIT}


@pytest.mark.parametrize("body", [{}, {"balances": [{}]}, {"balances": [LUMENS | {"balance": "x"}]}, {"balances": 1}])
def test_what_is_no_account_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no account"):
        spendable(body, ISSUER)

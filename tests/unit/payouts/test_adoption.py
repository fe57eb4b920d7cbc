"""Which withdrawals a forgotten transaction paid."""

from dataclasses import replace
from typing import Any

import pytest

from services.payouts.domain.adoption import Candidate, UnknownPaymentError, adopted, paid_by
from services.payouts.domain.transactions import Bump, Operation, Other, Pay, Transaction

ASSETS = {"USD": "USDC:G1", "XLM": "native"}
ONE = Candidate("t", "wth_1", "GA", 5, "USD", None, None, "GOWN")
TWO = replace(ONE, withdrawal_id="wth_2", account="GOTHER")
NOTED = replace(ONE, withdrawal_id="wth_3", memo_type="id", memo="007")
PAID = Pay("TREASURY", "GA", "USDC:G1", 5)


def sent(*operations: Operation, memo: str = "") -> Transaction:
    return Transaction(source="C", sequence=7, fee=100, memo=memo, operations=operations)


@pytest.mark.parametrize(
    ("transaction", "wanted"),
    [
        (sent(PAID), [ONE]),
        (sent(PAID, PAID), [ONE, TWO]),
        (sent(Pay("GOTHER", "GA", "USDC:G1", 5), PAID), [TWO, ONE]),
        (sent(PAID, memo="id:7"), [NOTED]),
        (sent(Bump("C", 0)), []),
    ],
)
def test_a_payment_is_the_withdrawal_that_asks_for_exactly_that(transaction: Transaction, wanted: list[Candidate]) -> None:
    assert adopted(transaction, [ONE, TWO, NOTED], "TREASURY", ASSETS) == wanted


@pytest.mark.parametrize(
    "change", [{"source": "GTHIEF"}, {"destination": "GB"}, {"asset": "native"}, {"amount": 6}], ids=lambda each: next(iter(each))
)
def test_anything_else_is_nobodys(change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"source": "TREASURY", "destination": "GA", "asset": "USDC:G1", "amount": 5}
    with pytest.raises(UnknownPaymentError, match="it pays"):
        adopted(sent(Pay(**values | change)), [ONE, TWO, NOTED], "TREASURY", ASSETS)


def test_more_payments_than_withdrawals_and_another_memo_and_another_operation_are_unknown() -> None:
    for transaction in (sent(PAID, PAID, PAID), sent(PAID, memo="text:7")):
        with pytest.raises(UnknownPaymentError):
            adopted(transaction, [ONE, TWO], "TREASURY", ASSETS)
    with pytest.raises(UnknownPaymentError, match="SetOptions"):
        paid_by([PAID, Other("C", "SetOptions")])

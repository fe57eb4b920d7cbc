"""What a withdrawal may be: every rule by table, in the order in which they are looked for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Keypair, MuxedAccount

from libs.common.contracts.commands.payouts import CreateWithdrawal
from services.payouts.domain.destinations import NOT_THERE, Sight
from services.payouts.domain.strkey import read_account
from services.payouts.domain.withdrawal_rules import check_sight, check_terms

GOOD = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
MUXED = MuxedAccount(GOOD, 7).account_muxed or ""
UNIT = 10**7


def _terms(**changes: Any) -> CreateWithdrawal:
    told: dict[str, Any] = {
        "withdrawal_id": "wth_1", "user_id": "usr_1", "amount": UNIT, "currency": "USD", "quoted_currency": "USDC",
        "destination_type": "stellar", "address": GOOD,
    }  # fmt: skip
    return CreateWithdrawal(**(told | changes))


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({}, None, None),
        ({"address": MUXED}, None, None),
        ({"currency": "XLM"}, None, None),
        ({"memo_type": "text", "memo": "é" * 14}, None, None),
        ({"memo_type": "id", "memo": str(2**64 - 1)}, None, None),
        ({"memo_type": "hash", "memo": "aB" * 32}, None, None),
        ({"destination_type": "airtm"}, "INVALID_DESTINATION", "destination.type"),
        ({"address": GOOD[:-1]}, "INVALID_DESTINATION", "destination.address"),
        ({"address": f"{GOOD[:-1]}A"}, "INVALID_DESTINATION", "destination.address"),
        ({"address": GOOD.lower()}, "INVALID_DESTINATION", "destination.address"),
        ({"address": f"{GOOD} "}, "INVALID_DESTINATION", "destination.address"),
        ({"address": "é" * 56}, "INVALID_DESTINATION", "destination.address"),
        ({"address": Keypair.random().secret}, "INVALID_DESTINATION", "destination.address"),
        ({"address": f"M{MUXED[1:-1]}"}, "INVALID_DESTINATION", "destination.address"),
        ({"address": "bad", "amount": 1}, "INVALID_DESTINATION", "destination.address"),
        ({"memo": "order 7"}, "VALIDATION_ERROR", None),
        ({"memo_type": "text"}, "VALIDATION_ERROR", None),
        ({"memo_type": "text", "memo": "é" * 15}, "VALIDATION_ERROR", None),
        ({"memo_type": "id", "memo": str(2**64)}, "VALIDATION_ERROR", None),
        ({"memo_type": "id", "memo": "-1"}, "VALIDATION_ERROR", None),
        ({"memo_type": "hash", "memo": "ab"}, "VALIDATION_ERROR", None),
        ({"memo_type": "id", "memo": "7", "address": MUXED}, "VALIDATION_ERROR", None),
        ({"memo": "x", "amount": 1}, "VALIDATION_ERROR", None),
        ({"amount": UNIT - 1}, "AMOUNT_BELOW_MINIMUM", None),
        ({"amount": UNIT - 1, "currency": "XLM"}, "AMOUNT_BELOW_MINIMUM", None),
    ],
)
def test_terms_are_taken_or_refused(changes: dict[str, Any], code: str | None, field: str | None) -> None:
    refusal = check_terms(_terms(**changes))
    assert (refusal and refusal.code) == code
    if refusal is not None and field is not None:
        assert refusal.details["field"] == field


@pytest.mark.parametrize("address", [GOOD, MUXED])
def test_nobody_withdraws_to_the_platform_itself(address: str) -> None:
    refusal = check_terms(_terms(address=address), own_accounts=frozenset({GOOD}))
    assert refusal is not None
    assert refusal.code == "INVALID_DESTINATION"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"{GOOD[:-1]}A", "MALFORMED"),
        ("CAAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB6N4O", "CONTRACT"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "OTHER_NETWORK"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "OTHER_NETWORK"),
        ("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "OTHER_NETWORK"),
        (Keypair.random().secret, "SECRET_KEY"),
    ],
)
def test_what_is_no_account_is_named_and_a_secret_is_not_said_back(address: str, reason: str) -> None:
    refusal = check_terms(_terms(address=address))
    assert refusal is not None
    assert (refusal.code, refusal.details["reason"]) == ("INVALID_DESTINATION", reason)
    assert (address in str(refusal)) == (reason != "SECRET_KEY")


@pytest.mark.parametrize("address", [GOOD, MUXED])
def test_nobody_withdraws_to_where_their_own_deposits_go(address: str) -> None:
    refusal = check_terms(_terms(address=address), own_wallet=GOOD)
    assert refusal is not None
    assert (refusal.code, refusal.details["reason"]) == ("INVALID_DESTINATION", "OWN_WALLET")


@pytest.mark.parametrize(
    ("changes", "sight", "code"),
    [
        ({}, None, None),
        ({}, Sight(can_receive=True, wants_memo=False), None),
        ({}, Sight(can_receive=False, wants_memo=False), "DESTINATION_NO_TRUSTLINE"),
        ({}, NOT_THERE, "DESTINATION_NO_TRUSTLINE"),
        ({"address": MUXED, "currency": "XLM"}, NOT_THERE, "DESTINATION_NO_TRUSTLINE"),
        ({}, Sight(can_receive=True, wants_memo=True), "INVALID_DESTINATION"),
        ({"memo_type": "id", "memo": "7"}, Sight(can_receive=True, wants_memo=True), None),
        ({"address": MUXED}, Sight(can_receive=True, wants_memo=True), None),
    ],
)
def test_what_was_seen_of_an_account_counts(changes: dict[str, Any], sight: Sight | None, code: str | None) -> None:
    refusal = check_sight(_terms(**changes), sight)
    assert (refusal and refusal.code) == code


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 1))
def test_addresses_are_read_as_the_library_writes_them(key: bytes, number: int) -> None:
    account = Keypair.from_raw_ed25519_public_key(key).public_key
    assert read_account(account) == key
    assert read_account(MuxedAccount(account, number).account_muxed or "") == key


@given(st.integers(1, 55), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_one_wrong_letter_makes_no_address(place: int, letter: str) -> None:
    spelled = GOOD[:place] + letter + GOOD[place + 1 :]
    assert (read_account(spelled) is not None) == (spelled == GOOD)

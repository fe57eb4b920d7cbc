"""What an account's pages make of its balance, and how often it is looked at."""

import base64
from datetime import timedelta
from typing import Any

import pytest
import stellar_sdk as sdk
from hypothesis import given
from hypothesis import strategies as st

from services.payouts.clients.keys import has_signed
from services.payouts.domain.account_replay import Budget, Entry, difference, entry, moved, pause
from services.payouts.domain.deposits import Ours
from services.payouts.domain.ledger_chain import Shown, UnprovedError
from services.payouts.domain.strkey import read_account
from services.payouts.domain.xdr import asset_xdr
from tests.support.chain import NETWORK_ID, PASSPHRASE, address, key

ISSUER = address("issuer")
DOLLAR, XLM = sdk.Asset("USDC", ISSUER), sdk.Asset.native()
OURS = Ours("testnet", address("treasury"), frozenset(), asset_xdr("USDC", read_account(ISSUER) or b""))
ANA = key("ana").raw_public_key()
PLACE = 7 << 32 | 3 << 12


def result(*inner: sdk.xdr.OperationType, fee: int = 100, failed: bool = False) -> bytes:
    body = fee.to_bytes(8) + (-1 if failed else 0).to_bytes(4, signed=True) + len(inner).to_bytes(4)
    claimable = sdk.xdr.OperationType.CREATE_CLAIMABLE_BALANCE
    told = (bytes(4) + kind.value.to_bytes(4) + bytes(4 + (36 if kind == claimable else 0)) for kind in inner)
    return body + b"".join(told) + bytes(4)


def shown(*operations: sdk.Operation, source: str = "ben", signers: tuple[str, ...] = ("ben",), failed: bool = False) -> Shown:
    builder = sdk.TransactionBuilder(sdk.Account(address(source), 1), PASSPHRASE).add_time_bounds(0, 9)
    for operation in operations:
        builder.append_operation(operation)
    envelope = builder.build()
    for signer in signers:
        envelope.sign(key(signer))
    kinds = () if failed else tuple(operation._XDR_OPERATION_TYPE for operation in operations)
    return Shown(envelope.hash(), base64.b64decode(envelope.to_xdr()), result(*kinds, failed=failed))


def read(told: Shown, token: int = PLACE) -> Entry:
    return entry(ANA, token, told, 0, NETWORK_ID, has_signed)


TO_ANA = sdk.Payment(address("ana"), DOLLAR, "5")
BY_ANA = sdk.Payment(address("ben"), DOLLAR, "2", source=address("ana"))
CASES: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("what arrives counts", {"operations": [TO_ANA, TO_ANA]}, {"USD": 100_000_000}),
    ("what failed does not", {"operations": [TO_ANA], "failed": True}, {}),
    ("what her key signed away counts", {"operations": [BY_ANA], "signers": ("ben", "ana")}, {"USD": -20_000_000}),
    ("what only says that it left does not", {"operations": [TO_ANA, BY_ANA]}, {"USD": 50_000_000}),
    (
        "to herself is nothing",
        {"operations": [sdk.Payment(address("ana"), XLM, "1", source=address("ana"))], "signers": ("ana",)},
        {},
    ),
    ("her fees count", {"operations": [TO_ANA], "source": "ana", "signers": ("ana",), "failed": True}, {"XLM": -100}),
    ("another asset is none of ours", {"operations": [sdk.Payment(address("ana"), sdk.Asset("USDC", address("x")), "1")]}, {}),
    (
        "what could be claimed is not held",
        {"operations": [sdk.CreateClaimableBalance(DOLLAR, "3", [sdk.Claimant(address("ana"))])]},
        {},
    ),
]


@pytest.mark.parametrize(("_name", "told", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_what_moves_a_balance(_name: str, told: dict[str, Any], wanted: dict[str, int]) -> None:
    others = {name: value for name, value in told.items() if name != "operations"}
    sums = moved(ANA, [read(shown(*told["operations"], **others))], OURS)
    assert {name: amount for name, amount in sums.items() if amount} == wanted


def test_a_transaction_is_read_at_its_place_only_and_under_its_own_hash() -> None:
    told = shown(TO_ANA)
    assert (read(told).ledger, read(told).read.order) == (7, 3)
    for place in (PLACE + 1, 7 << 32):
        with pytest.raises(UnprovedError):
            read(told, place)
    with pytest.raises(UnprovedError):
        read(Shown(bytes(32), told.envelope, told.result))


def test_a_fee_bump_is_signed_inside() -> None:
    inner = sdk.TransactionEnvelope.from_xdr(
        base64.b64encode(shown(BY_ANA, signers=("ben", "ana")).envelope).decode(), PASSPHRASE
    )
    bump = sdk.TransactionBuilder.build_fee_bump_transaction(key("sponsor"), 200, inner, PASSPHRASE)
    bump.sign(key("sponsor"))
    pair = bytes(8) + (1).to_bytes(4) + inner.hash() + result(sdk.xdr.OperationType.PAYMENT) + bytes(4)
    found = read(Shown(bump.hash(), base64.b64decode(bump.to_xdr()), pair))
    assert (found.is_own, found.is_bumped) == (True, True)
    assert moved(ANA, [found], OURS)["USD"] == -20_000_000


def test_a_difference_is_told_and_none_is_nothing() -> None:
    assert difference({"USD": 3}, {"USD": 3, "XLM": 0}) == ""
    assert difference({"USD": 3, "XLM": 1}, {"USD": 5}) == "-2 stroops of USD, +1 stroops of XLM"


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_who_was_quiet_for_longer_is_looked_at_no_sooner(one: int, other: int) -> None:
    bounds = {"shortest": timedelta(seconds=5), "longest": timedelta(days=1)}
    sooner, later = (pause(timedelta(seconds=each), **bounds) for each in sorted((one, other)))
    assert bounds["shortest"] <= sooner <= later <= bounds["longest"]


@given(st.integers(60, 100_000), st.lists(st.integers(0, 100), max_size=50))
def test_no_hour_has_more_requests_than_it_may(per_hour: int, waits: list[int]) -> None:
    budget, now, spent = Budget(per_hour, timedelta(hours=1)), timedelta(hours=1), 0
    for wait in waits:
        now += timedelta(seconds=wait)
        while budget.has_any(now) and spent < 10_000:
            budget.spend()
            spent += 1
    assert spent <= sum(waits) * per_hour / 3600 + per_hour / 100 + 1

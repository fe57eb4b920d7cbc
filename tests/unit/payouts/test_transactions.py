"""What is signed is what the intent says, to the last field; our words for a transaction are Stellar's own."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Account as Source
from stellar_sdk import Asset as TheirAsset
from stellar_sdk import ClaimClaimableBalance, Keypair, MuxedAccount, Payment, SetOptions, TransactionBuilder

from services.payouts.clients.transactions import UnreadableError, build, decimal, describe, read, stroops
from services.payouts.domain.transactions import Bump, Create, Expected, Operation, Other, Pay, Transaction, creation, differences
from tests.support.chain import PASSPHRASE, address, key

DOLLAR = f"USDC:{address('issuer')}"
WALLETS = (address("a"), address("b"))
OPERATIONS = creation(WALLETS, sponsor=address("sponsor"), asset=DOLLAR)
WANTED = Transaction(source=address("sponsor"), sequence=7, fee=800, max_time=1_900_000_000, operations=OPERATIONS)
HASH = "ab" * 32
EXPECTED = Expected(
    transaction_hash=HASH, source=address("sponsor"), sequence=7, fee_max=800, max_time=1_900_000_000, operations=OPERATIONS
)


def test_what_was_asked_for_is_signed_also_for_a_lower_fee() -> None:
    assert differences(EXPECTED, WANTED, HASH) is None
    assert differences(EXPECTED, msgspec.structs.replace(WANTED, fee=1), HASH) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"source": address("thief")}, "OTHER_SOURCE"),
        ({"sequence": 8}, "OTHER_SEQUENCE"),
        ({"fee": 801}, "FEE_TOO_HIGH"),
        ({"memo": "text:hello"}, "OTHER_MEMO"),
        ({"min_time": 1}, "OTHER_BOUNDS"),
        ({"max_time": 0}, "OTHER_BOUNDS"),
        ({"max_time": 1_900_000_001}, "OTHER_BOUNDS"),
        ({"min_ledger": 1}, "OTHER_BOUNDS"),
        ({"max_ledger": 1}, "OTHER_BOUNDS"),
        ({"other_conditions": True}, "OTHER_BOUNDS"),
        ({"operations": OPERATIONS[:-1]}, "OTHER_OPERATIONS"),
        ({"operations": (*OPERATIONS, Bump(address("sponsor"), 9))}, "OTHER_OPERATIONS"),
        ({"operations": (*OPERATIONS[1:], OPERATIONS[0])}, "OTHER_OPERATIONS"),
        ({"operations": creation(WALLETS, sponsor=address("sponsor"), asset=f"USDC:{address('thief')}")}, "OTHER_OPERATIONS"),
        ({"operations": (OPERATIONS[0], Create(address("sponsor"), WALLETS[0], 1), *OPERATIONS[2:])}, "OTHER_OPERATIONS"),
        ({"operations": (Pay(WALLETS[0], address("thief"), DOLLAR, 1), *OPERATIONS[1:])}, "OTHER_OPERATIONS"),
    ],
)
def test_whatever_differs_is_refused(change: dict[str, object], code: str) -> None:
    refusal = differences(EXPECTED, msgspec.structs.replace(WANTED, **change), HASH)
    assert refusal is not None
    assert refusal.code == code


def test_another_hash_and_no_end_are_refused() -> None:
    other = differences(EXPECTED, WANTED, "cd" * 32)
    endless = differences(msgspec.structs.replace(EXPECTED, max_time=0), msgspec.structs.replace(WANTED, max_time=0), HASH)
    assert [refusal.code for refusal in (other, endless) if refusal] == ["OTHER_TRANSACTION", "UNBOUNDED"]


accounts = st.sampled_from([address(name) for name in ("a", "b", "c", "sponsor")])
assets = st.sampled_from(["native", DOLLAR])
amounts = st.integers(1, 2**63 - 1)
operations = st.one_of(
    st.builds(Pay, accounts, accounts, assets, amounts),
    st.builds(Create, accounts, accounts, st.integers(0, 2**63 - 1)),
    st.builds(Bump, accounts, st.integers(0, 2**63 - 1)),
    st.sampled_from(OPERATIONS),
)


@given(
    accounts,
    st.integers(1, 2**63 - 1),
    st.integers(1, 10_000),
    st.integers(0, 9),
    st.lists(operations, min_size=1, max_size=6),
)
def test_a_transaction_that_is_made_reads_as_what_was_wanted(
    source: str, sequence: int, fee: int, ledger: int, wanted: list[Operation]
) -> None:
    transaction = Transaction(
        source=source, sequence=sequence, fee=fee * len(wanted), max_time=9, max_ledger=ledger, operations=tuple(wanted)
    )
    envelope, found = read(build(transaction, PASSPHRASE).to_xdr(), PASSPHRASE)
    assert found == transaction
    assert set(found.signers()) == {source, *(operation.source for operation in wanted)}
    assert len(envelope.hash()) == 32


@given(st.integers(0, 2**63 - 1))
def test_amounts_go_both_ways(amount: int) -> None:
    assert stroops(decimal(amount)) == amount


def test_what_we_never_make_is_something_else() -> None:
    muxed = MuxedAccount(address("a"), 5)
    builder = TransactionBuilder(Source(address("a"), 1), PASSPHRASE).add_time_bounds(0, 9)
    builder.append_operation(SetOptions(master_weight=0))
    builder.append_operation(ClaimClaimableBalance("00" * 36))
    builder.append_operation(Payment(address("b"), TheirAsset.native(), "1", source=muxed))
    found = describe(builder.build().transaction)
    assert [type(operation) for operation in found.operations] == [Other, Other, Pay]
    assert found.operations[2].source == muxed.account_muxed


def test_only_an_unsigned_envelope_of_the_one_right_spelling_is_read() -> None:
    envelope = build(WANTED, PASSPHRASE)
    plain = envelope.to_xdr()
    envelope.sign(key("thief"))
    for wrong in ("", "AAAA", "no base 64", plain[:-8], envelope.to_xdr(), plain + "AAAA", Keypair.random().secret):
        with pytest.raises(UnreadableError):
            read(wrong, PASSPHRASE)

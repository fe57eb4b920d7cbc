"""What is read of Stellar's binary form is what Stellar's own library reads, for every kind of operation there is."""

import base64
import hashlib
import warnings
from typing import Any

import pytest
import stellar_sdk as sdk
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import xdr
from stellar_sdk.operation.allow_trust import TrustLineEntryFlag

from services.payouts.domain.envelope_xdr import CLAIMABLE, has_hash, read
from services.payouts.domain.ledger_chain import NO_RESULTS, Shown, UnprovedError, follow, is_whole, prove, read_header
from services.payouts.domain.result_xdr import read_result
from services.payouts.domain.xdr import UnreadableXdrError, asset_text, asset_xdr
from tests.support.chain import NETWORK_ID, PASSPHRASE, Bench, address, key

ANA, BEN = address("ana"), address("ben")
DOLLAR, LONG = sdk.Asset("USD", ANA), sdk.Asset("LONGERCODE", ANA)
MUXED = sdk.MuxedAccount(BEN, 2**64 - 1)
POOL = sdk.LiquidityPoolAsset(sdk.Asset.native(), DOLLAR)
BALANCE = "00000000" + "ab" * 32
SIGNED_PAYLOAD = sdk.SignerKey.ed25519_signed_payload(sdk.SignedPayloadSigner(ANA, b"seven b"))
with warnings.catch_warnings(action="ignore"):  # the network still takes what the library advises against
    ALLOW = sdk.AllowTrust(BEN, "LONGERCODE", TrustLineEntryFlag.AUTHORIZED_FLAG)
FLAG = sdk.AuthorizationFlag.AUTHORIZATION_REQUIRED
CLAIMANTS = [
    sdk.Claimant(BEN, sdk.ClaimPredicate.predicate_not(sdk.ClaimPredicate.predicate_before_relative_time(60))),
    sdk.Claimant(
        address("cleo"),
        sdk.ClaimPredicate.predicate_or(
            sdk.ClaimPredicate.predicate_unconditional(), sdk.ClaimPredicate.predicate_before_absolute_time(9)
        ),
    ),
]
MONEY: list[sdk.Operation] = [
    sdk.CreateAccount(BEN, "2.5"),
    sdk.Payment(BEN, sdk.Asset.native(), "0.0000001"),
    sdk.Payment(MUXED, DOLLAR, "922337203685.4775807", source=address("cleo")),
    sdk.PathPaymentStrictReceive(BEN, DOLLAR, "9", LONG, "7", [sdk.Asset.native(), DOLLAR]),
    sdk.PathPaymentStrictSend(MUXED, LONG, "9", DOLLAR, "7", []),
    sdk.AccountMerge(BEN),
]
OTHERS: list[sdk.Operation] = [
    sdk.ManageSellOffer(DOLLAR, LONG, "1", "2.5", 7),
    sdk.CreatePassiveSellOffer(LONG, sdk.Asset.native(), "1", sdk.Price(1, 3)),
    sdk.SetOptions(BEN, FLAG, FLAG, 3, 4, 5, 6, sdk.Signer(SIGNED_PAYLOAD, 1), "home.example"),
    sdk.SetOptions(),
    sdk.ChangeTrust(DOLLAR),
    sdk.ChangeTrust(POOL, "5"),
    ALLOW,
    sdk.Inflation(),
    sdk.ManageData("name", b"seven b"),
    sdk.ManageData("name", None),
    sdk.BumpSequence(5),
    sdk.ManageBuyOffer(DOLLAR, LONG, "1", "2.5"),
    sdk.CreateClaimableBalance(DOLLAR, "3", CLAIMANTS),
    sdk.ClaimClaimableBalance(BALANCE),
    sdk.BeginSponsoringFutureReserves(BEN),
    sdk.EndSponsoringFutureReserves(),
    sdk.RevokeSponsorship.revoke_account_sponsorship(BEN),
    sdk.RevokeSponsorship.revoke_trustline_sponsorship(BEN, DOLLAR),
    sdk.RevokeSponsorship.revoke_trustline_sponsorship(BEN, sdk.LiquidityPoolId("cd" * 32)),
    sdk.RevokeSponsorship.revoke_offer_sponsorship(BEN, 7),
    sdk.RevokeSponsorship.revoke_data_sponsorship(BEN, "name"),
    sdk.RevokeSponsorship.revoke_claimable_balance_sponsorship(BALANCE),
    sdk.RevokeSponsorship.revoke_liquidity_pool_sponsorship("cd" * 32),
    sdk.RevokeSponsorship.revoke_signer_sponsorship(BEN, SIGNED_PAYLOAD),
    sdk.RevokeSponsorship.revoke_signer_sponsorship(BEN, sdk.SignerKey.sha256_hash(b"e" * 32)),
    sdk.Clawback(DOLLAR, BEN, "1"),
    sdk.ClawbackClaimableBalance(BALANCE),
    sdk.SetTrustLineFlags(BEN, DOLLAR, sdk.TrustLineFlags.AUTHORIZED_FLAG),
    sdk.LiquidityPoolDeposit("cd" * 32, "1", "2", "0.5", "2"),
    sdk.LiquidityPoolWithdraw("cd" * 32, "1", "2", "3"),
]


def build(*operations: sdk.Operation, signatures: int = 1, memo: sdk.Memo | None = None, odd: bool = False) -> Any:
    builder = sdk.TransactionBuilder(sdk.Account(ANA, 1), PASSPHRASE)
    for operation in operations:
        builder.append_operation(operation)
    builder.add_time_bounds(0, 9)
    if odd:
        builder.set_ledger_bounds(1, 9).set_min_sequence_number(1).set_min_sequence_age(3)
        builder.add_extra_signer(SIGNED_PAYLOAD)
    if memo is not None:
        builder.add_memo(memo)
    envelope = builder.build()
    for number in range(signatures):
        envelope.sign(key(f"signer-{number}"))
    return envelope


def raw(envelope: Any) -> bytes:
    return base64.b64decode(envelope.to_xdr())


@pytest.mark.parametrize("other", OTHERS, ids=lambda each: type(each).__name__)
def test_a_payment_is_found_behind_any_operation(other: sdk.Operation) -> None:
    found = read(raw(build(other, sdk.Payment(MUXED, DOLLAR, "7"))))
    assert found.kinds[1:] == (1,)
    [paid] = [each for each in found.transfers if each.kind != CLAIMABLE]
    assert (paid.place, paid.number, paid.amount) == (1, 2**64 - 1, 70_000_000)
    assert (paid.source, paid.destination) == (key("ana").raw_public_key(), key("ben").raw_public_key())
    assert asset_text(paid.asset) == f"USD:{ANA}"


def test_every_kind_of_operation_of_the_library_is_known() -> None:
    kinds = {read(raw(build(operation))).kinds[0] for operation in (*MONEY, *OTHERS)}
    contracts = {
        xdr.OperationType.INVOKE_HOST_FUNCTION,
        xdr.OperationType.EXTEND_FOOTPRINT_TTL,
        xdr.OperationType.RESTORE_FOOTPRINT,
    }
    assert kinds == {kind.value for kind in xdr.OperationType} - {kind.value for kind in contracts}


def test_what_gives_money_is_read_whole() -> None:
    told = [(each.kind, each.number, asset_text(each.asset), each.amount) for each in read(raw(build(*MONEY))).transfers]
    assert told == [
        (0, None, "native", 25_000_000),
        (1, None, "native", 1),
        (1, 2**64 - 1, f"USD:{ANA}", 2**63 - 1),
        (2, None, f"LONGERCODE:{ANA}", 70_000_000),
        (13, 2**64 - 1, f"USD:{ANA}", None),
        (8, None, "native", None),
    ]
    assert read(raw(build(*MONEY))).transfers[2].source == key("cleo").raw_public_key()


def test_what_may_be_claimed_is_read_with_each_who_may() -> None:
    found = read(raw(build(sdk.CreateClaimableBalance(DOLLAR, "3", CLAIMANTS)))).transfers
    assert [each.destination for each in found] == [
        sdk.Keypair.from_public_key(each.destination).raw_public_key() for each in CLAIMANTS
    ]
    assert {(each.kind, asset_text(each.asset), each.amount) for each in found} == {(CLAIMABLE, f"USD:{ANA}", 30_000_000)}


MEMOS: list[tuple[sdk.Memo, str]] = [
    (sdk.IdMemo(2**64 - 1), f"id:{2**64 - 1}"),
    (sdk.TextMemo("rent"), "text:rent"),
    (sdk.TextMemo(b"\xff\xfe"), "text:\\xff\\xfe"),
    (sdk.HashMemo(b"a" * 32), f"hash:{b'a'.hex() * 32}"),
    (sdk.ReturnHashMemo(b"a" * 32), f"return:{b'a'.hex() * 32}"),
]


@pytest.mark.parametrize(("memo", "told"), MEMOS, ids=lambda each: each if isinstance(each, str) else "")
def test_memos_and_conditions(memo: sdk.Memo, told: str) -> None:
    for odd in (False, True):
        assert read(raw(build(sdk.BumpSequence(3), memo=memo, odd=odd))).memo == told


def test_an_envelope_is_known_by_its_hash_however_often_it_is_signed() -> None:
    for count in (0, 1, 2, 20):
        envelope = build(*MONEY, signatures=count)
        assert has_hash(raw(envelope), NETWORK_ID, envelope.hash())
        assert not has_hash(raw(envelope), b"another network" + bytes(17), envelope.hash())
    inner = build(MONEY[1])
    bump = sdk.TransactionBuilder.build_fee_bump_transaction(key("ben"), 200, inner, PASSPHRASE)
    bump.sign(key("ben"))
    assert has_hash(raw(bump), NETWORK_ID, bump.hash())
    assert read(raw(bump))[:4] == read(raw(inner))[:4]
    old = sdk.TransactionEnvelope(inner.transaction, PASSPHRASE, inner.signatures)
    old.transaction.v1 = False
    assert has_hash(raw(old), NETWORK_ID, old.hash())
    assert read(raw(old)) == read(raw(inner))


def test_signatures_of_odd_sizes_change_nothing() -> None:
    envelope = build(MONEY[1])
    envelope.signatures.append(sdk.DecoratedSignature(b"hint", b"a preimage"))
    envelope.signatures.append(sdk.DecoratedSignature(b"hint", b""))
    assert has_hash(raw(envelope), NETWORK_ID, envelope.hash())


@settings(max_examples=150)
@given(st.data())
def test_a_changed_byte_is_another_transaction(data: st.DataObject) -> None:
    envelope = build(*MONEY)
    shown = bytearray(raw(envelope))
    at = data.draw(st.integers(0, len(shown) - 1))
    shown[at] ^= data.draw(st.integers(1, 255))
    is_signature = at >= len(shown) - 72
    assert is_signature or not has_hash(bytes(shown), NETWORK_ID, envelope.hash())


@settings(max_examples=300)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_garbage_is_refused_by_name(noise: bytes, cut: int) -> None:
    whole = raw(build(*MONEY))
    for shown in (noise, whole[:cut] + noise):
        for reading in (read, read_result):
            try:
                reading(shown)
            except UnreadableXdrError:
                continue
        assert isinstance(has_hash(shown, NETWORK_ID, bytes(32)), bool)


def operation_result(kind: str, code: Any, **payload: Any) -> xdr.OperationResult:
    arm = getattr(xdr, f"{kind}Result")(code, **payload)
    name = "".join(f"_{each.lower()}" if each.isupper() else each for each in kind).lstrip("_")
    operation = xdr.OperationType[name.upper()]
    tr = xdr.OperationResultTr(operation, **{f"{name}_result": arm})
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, tr)


def test_amounts_that_only_the_result_tells() -> None:
    sold = xdr.ClaimAtom(
        xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK,
        order_book=xdr.ClaimOfferAtom(
            sdk.Keypair.from_public_key(BEN).xdr_account_id(),
            xdr.Int64(7),
            DOLLAR.to_xdr_object(),
            xdr.Int64(1),
            sdk.Asset.native().to_xdr_object(),
            xdr.Int64(2),
        ),
    )
    pool = xdr.ClaimAtom(
        xdr.ClaimAtomType.CLAIM_ATOM_TYPE_LIQUIDITY_POOL,
        liquidity_pool=xdr.ClaimLiquidityAtom(
            xdr.PoolID(xdr.Hash(bytes(32))),
            LONG.to_xdr_object(),
            xdr.Int64(1),
            sdk.Asset.native().to_xdr_object(),
            xdr.Int64(2),
        ),
    )
    last = xdr.SimplePaymentResult(sdk.Keypair.from_public_key(BEN).xdr_account_id(), DOLLAR.to_xdr_object(), xdr.Int64(77))
    send = xdr.PathPaymentStrictSendResultSuccess([sold, pool], last)
    offer = xdr.ManageOfferSuccessResult([sold], xdr.ManageOfferSuccessResultOffer(xdr.ManageOfferEffect.MANAGE_OFFER_DELETED))
    results = [
        operation_result("ManageSellOffer", xdr.ManageSellOfferResultCode.MANAGE_SELL_OFFER_SUCCESS, success=offer),
        operation_result("Payment", xdr.PaymentResultCode.PAYMENT_SUCCESS),
        operation_result(
            "PathPaymentStrictSend", xdr.PathPaymentStrictSendResultCode.PATH_PAYMENT_STRICT_SEND_SUCCESS, success=send
        ),
        operation_result("AccountMerge", xdr.AccountMergeResultCode.ACCOUNT_MERGE_SUCCESS, source_account_balance=xdr.Int64(9)),
    ]
    result = xdr.TransactionResult(
        xdr.Int64(400),
        xdr.TransactionResultResult(xdr.TransactionResultCode.txSUCCESS, results=results),
        xdr.TransactionResultExt(0),
    )
    found = read_result(result.to_xdr_bytes())
    assert (found.is_successful, found.fee, dict(found.received)) == (True, 400, {2: 77, 3: 9})


def test_headers_of_the_chain_follow_each_other_and_others_do_not() -> None:
    bench = Bench()
    closed = [bench.close() for _ in range(4)]
    headers = [read_header(each.header.encoded()) for each in closed]
    assert [each.hash for each in headers] == [each.hash for each in closed]
    assert [each.closed_at for each in headers] == [each.header.close_time for each in closed]
    known = (headers[0].sequence, headers[0].hash)
    assert follow(known, headers[1:]) == headers[1:]
    assert follow(known, [headers[1], headers[3]]) == [headers[1]]
    assert follow(known, []) == []
    for wrong in (headers, headers[2:], headers[:0:-1]):
        with pytest.raises(UnprovedError):
            follow(known, wrong)


def test_a_ledger_is_whole_or_it_is_not() -> None:
    bench = Bench()
    bench.accounts("ana", "ben")
    for name, to in (("ana", "ben"), ("ben", "ana")):
        bench.submit(bench.build(name, sdk.Payment(address(to), sdk.Asset.native(), "1")))
    closed = bench.close()
    shown = [
        Shown(each.frame.hash, base64.b64decode(each.frame.envelope_xdr), each.result.to_xdr_bytes()) for each in closed.applied
    ]
    header = read_header(closed.header.encoded())
    assert is_whole(header, shown)
    assert [each.order for each in prove(shown, NETWORK_ID)] == [1, 2]
    for wrong in (shown[:1], shown[::-1], [*shown, shown[0]], [shown[0], shown[0]], []):
        assert not is_whole(header, wrong)
    swapped = [Shown(shown[0].hash, shown[1].envelope, shown[0].result), shown[1]]
    assert is_whole(header, swapped)
    with pytest.raises(UnprovedError):
        prove(swapped, NETWORK_ID)
    assert is_whole(read_header(bench.close().header.encoded()), [])
    assert hashlib.sha256(bytes(4)).digest() == NO_RESULTS


def test_an_asset_has_one_spelling() -> None:
    for asset in (DOLLAR, LONG):
        written = asset_xdr(asset.code, key("ana").raw_public_key())
        assert written == asset.to_xdr_object().to_xdr_bytes()
        assert asset_text(written) == f"{asset.code}:{ANA}"

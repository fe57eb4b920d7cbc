"""Whose signatures count, with which weight, for what."""

import hashlib

import pytest
from stellar_sdk import (
    Asset,
    BumpSequence,
    CreateAccount,
    DecoratedSignature,
    Payment,
    SetOptions,
    Signer,
    SignerKey,
    TransactionEnvelope,
)
from stellar_sdk.signer_key import SignedPayloadSigner

from tests.support.chain import Bench, address, key

NATIVE = Asset.native()
PREIMAGE = b"the secret"


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.accounts("ann", "bob")
    return made


def shared(bench: Bench, **options: int) -> None:
    """Ann's account is signed for by two others as well, of weight 2 and 3."""
    signers = [SetOptions(signer=Signer.ed25519_public_key(address(name), weight)) for name, weight in (("two", 2), ("three", 3))]
    bench.ok(bench.build("ann", *signers, SetOptions(**options)))  # type: ignore[arg-type]  # thresholds are ints


def low(bench: Bench, *signers: str) -> object:
    return bench.operation_codes("ann", BumpSequence(0), signers=signers)


def medium(bench: Bench, *signers: str) -> object:
    return bench.operation_codes("ann", Payment(address("bob"), NATIVE, "1"), signers=signers)


def high(bench: Bench, *signers: str) -> object:
    return bench.operation_codes("ann", SetOptions(low_threshold=1), signers=signers)


def test_each_level_asks_for_its_weight(bench: Bench) -> None:
    shared(bench, low_threshold=1, med_threshold=3, high_threshold=5)
    assert [low(bench, "ann"), medium(bench, "ann"), high(bench, "ann")] == ["tx_success", ["op_bad_auth"], ["op_bad_auth"]]
    assert [medium(bench, "three"), high(bench, "three")] == ["tx_success", ["op_bad_auth"]]
    assert [medium(bench, "ann", "two"), high(bench, "three", "two")] == ["tx_success", "tx_success"]


def test_a_transaction_takes_the_low_weight_of_its_source(bench: Bench) -> None:
    shared(bench, low_threshold=4, med_threshold=1)
    assert medium(bench, "three") == "tx_bad_auth"
    assert medium(bench, "three", "ann") == "tx_success"


def test_a_signature_beyond_what_is_needed_is_refused(bench: Bench) -> None:
    shared(bench, low_threshold=1, med_threshold=3, high_threshold=5)
    assert medium(bench, "three", "two") == "tx_bad_auth_extra"


def test_a_key_of_weight_nothing_is_no_key(bench: Bench) -> None:
    shared(bench, master_weight=0, low_threshold=1, med_threshold=1, high_threshold=1)
    assert medium(bench, "ann") == "tx_bad_auth"
    assert medium(bench, "two") == "tx_success"


def test_a_threshold_of_nothing_still_takes_a_signature(bench: Bench) -> None:
    assert low(bench) == "tx_bad_auth"


def test_a_hint_that_does_not_fit_its_key_is_not_tried(bench: Bench) -> None:
    envelope = bench.build("ann", BumpSequence(0))
    signature = envelope.signatures.pop().signature
    envelope.signatures.append(DecoratedSignature(b"hint", signature))
    assert bench.codes(envelope) == {"transaction": "tx_bad_auth"}


def with_preimage(envelope: TransactionEnvelope, preimage: bytes) -> TransactionEnvelope:
    envelope.sign_hashx(preimage)
    return envelope


def test_whoever_knows_a_preimage_signs(bench: Bench) -> None:
    bench.ok(bench.build("ann", SetOptions(signer=Signer.sha256_hash(hashlib.sha256(PREIMAGE).digest(), 1))))
    pay = Payment(address("bob"), NATIVE, "1")
    assert bench.codes(with_preimage(bench.build("ann", pay, signers=[]), b"a guess")) == {"transaction": "tx_bad_auth"}
    bench.ok(with_preimage(bench.build("ann", pay, signers=[]), PREIMAGE))


def test_a_transaction_agreed_to_beforehand_goes_once_and_uses_the_agreement_up(bench: Bench) -> None:
    sequence = bench.account("ann").sequence + 2
    agreed = bench.build("ann", Payment(address("bob"), NATIVE, "1"), signers=[], sequence=sequence)
    bench.ok(bench.build("ann", SetOptions(signer=Signer.pre_auth_tx(agreed.hash(), 1))))
    assert bench.account("ann").subentries == 1
    bench.ok(agreed)
    assert (bench.account("ann").signers, bench.account("ann").subentries) == ((), 0)


def test_a_signed_payload_is_a_signature(bench: Bench) -> None:
    payload = b"an order"
    signer = SignerKey.ed25519_signed_payload(SignedPayloadSigner(address("bob"), payload))
    bench.ok(bench.build("ann", SetOptions(signer=Signer(signer, 1))))
    envelope = bench.build("ann", BumpSequence(0), signers=[])
    envelope.signatures.append(signed("bob", payload))
    bench.ok(envelope)


def test_extra_signers_of_a_transaction_must_sign_too(bench: Bench) -> None:
    extra = SignerKey.ed25519_public_key(address("bob"))
    pay = Payment(address("bob"), NATIVE, "1")
    assert bench.codes(bench.build("ann", pay, add_extra_signer=(extra,))) == {"transaction": "tx_bad_auth"}
    bench.ok(bench.build("ann", pay, signers=["ann", "bob"], add_extra_signer=(extra,)))


def test_an_account_that_is_made_on_the_way_signs_with_its_own_key(bench: Bench) -> None:
    operations = [CreateAccount(address("new"), "5"), BumpSequence(0, address("new"))]
    assert bench.operation_codes("ann", *operations) == ["op_success", "op_bad_auth"]
    bench.ok(bench.build("ann", *operations, signers=["ann", "new"]))


def signed(name: str, payload: bytes) -> DecoratedSignature:
    """A payload signature; its hint mixes the key's with the payload's end (CAP-40)."""
    hint = bytes(one ^ other for one, other in zip(key(name).signature_hint(), payload[-4:], strict=True))
    return DecoratedSignature(hint, key(name).sign(payload))

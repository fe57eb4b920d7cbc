"""What the network says to a submission, check by check and in its order."""

import base64
from collections.abc import Callable

import pytest
from stellar_sdk import Asset, BumpSequence, Inflation, Network, Payment, TransactionEnvelope

from deploy.sandbox.horizon.chain.frames import MalformedEnvelope, decode
from deploy.sandbox.horizon.ledger.queue import AGE_MAX, BANNED_LEDGERS, Status
from tests.support.chain import NETWORK_ID, START, Bench, address, key


def pay(amount: str = "1", *, to: str = "bob") -> Payment:
    return Payment(address(to), Asset.native(), amount)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.accounts("ann", "bob", "cem")
    made.accounts("poor", lumens=1)
    return made


def tx(code: str, *operations: str) -> dict[str, object]:
    return {"transaction": code} | ({"operations": list(operations)} if operations else {})


def twice_signed(envelope: TransactionEnvelope) -> TransactionEnvelope:
    envelope.signatures.append(envelope.signatures[0])
    return envelope


REFUSALS: list[tuple[str, Callable[[Bench], TransactionEnvelope], dict[str, object]]] = [
    ("no operations", lambda b: b.build("ann"), tx("tx_missing_operation")),
    ("too early", lambda b: b.build("ann", pay(), add_time_bounds=(START + 999, 0)), tx("tx_too_early")),
    ("too late", lambda b: b.build("ann", pay(), add_time_bounds=(0, b.now - 1)), tx("tx_too_late")),
    (
        "a bound the next ledgers may not reach",
        lambda b: b.build("ann", pay(), add_time_bounds=(0, b.now + 9)),
        tx("tx_too_late"),
    ),
    ("ledger not there yet", lambda b: b.build("ann", pay(), set_ledger_bounds=(5, 0)), tx("tx_too_early")),
    ("ledger gone by", lambda b: b.build("ann", pay(), set_ledger_bounds=(0, 4)), tx("tx_too_late")),
    ("fee below the least", lambda b: b.build("ann", pay(), pay(), fee=99), tx("tx_insufficient_fee")),
    ("no such source", lambda b: b.build("nobody", pay(), sequence=1), tx("tx_no_source_account")),
    ("sequence used", lambda b: b.build("ann", pay(), sequence=b.sequence(address("ann"))), tx("tx_bad_seq")),
    ("sequence skipped", lambda b: b.build("ann", pay(), sequence=b.sequence(address("ann")) + 2), tx("tx_bad_seq")),
    ("sequence too young", lambda b: b.build("ann", pay(), set_min_sequence_age=(10**9 * 2,)), tx("tx_bad_minseq_age_or_gap")),
    (
        "not enough ledgers since",
        lambda b: b.build("ann", pay(), set_min_sequence_ledger_gap=(9,)),
        tx("tx_bad_minseq_age_or_gap"),
    ),
    ("unsigned", lambda b: b.build("ann", pay(), signers=[]), tx("tx_bad_auth")),
    ("signed by another", lambda b: b.build("ann", pay(), signers=["bob"]), tx("tx_bad_auth")),
    ("cannot pay the fee", lambda b: b.build("poor", pay()), tx("tx_insufficient_balance")),
    (
        "operation not signed for",
        lambda b: b.build("ann", Payment(address("ann"), Asset.native(), "1", address("bob"))),
        tx("tx_failed", "op_bad_auth"),
    ),
    ("nothing to pay", lambda b: b.build("ann", pay(), pay("0")), tx("tx_failed", "op_success", "op_malformed")),
    ("bump below zero is no operation", lambda b: b.build("ann", Inflation()), tx("tx_failed", "op_not_supported")),
    ("a signature too many", lambda b: b.build("ann", pay(), signers=["ann", "cem"]), tx("tx_bad_auth_extra")),
    ("the same signature twice", lambda b: twice_signed(b.build("ann", pay())), tx("tx_bad_auth_extra")),
]


@pytest.mark.parametrize(("make", "told"), [pytest.param(make, told, id=name) for name, make, told in REFUSALS])
def test_a_refusal_names_the_first_thing_that_is_wrong_and_costs_nothing(
    bench: Bench, make: Callable[[Bench], TransactionEnvelope], told: dict[str, object]
) -> None:
    before = [(bench.account(name).balance, bench.account(name).sequence) for name in ("ann", "bob", "poor")]
    envelope = make(bench)
    assert bench.submit(envelope).status is Status.ERROR
    assert bench.codes(envelope) == told
    bench.close()
    assert [(bench.account(name).balance, bench.account(name).sequence) for name in ("ann", "bob", "poor")] == before


def test_a_refused_fee_says_what_would_have_done(bench: Bench) -> None:
    refused = bench.submit(bench.build("ann", pay(), pay(), fee=50))
    assert refused.result is not None
    assert refused.result.fee_charged.int64 == 200


def test_a_transaction_for_another_network_is_signed_by_nobody_here(bench: Bench) -> None:
    envelope = bench.build("ann", pay(), signers=[])
    elsewhere = TransactionEnvelope(envelope.transaction, Network.PUBLIC_NETWORK_PASSPHRASE)
    elsewhere.sign(key("ann"))
    assert bench.codes(elsewhere) == tx("tx_bad_auth")


def test_a_good_transaction_waits_and_is_a_duplicate_until_it_is_in(bench: Bench) -> None:
    envelope = bench.build("ann", pay())
    assert [bench.submit(envelope).status for _ in range(3)] == [Status.PENDING, Status.DUPLICATE, Status.DUPLICATE]
    assert len(bench.close().applied) == 1


def test_what_was_applied_is_turned_away_for_ten_ledgers_and_then_has_a_bad_sequence(bench: Bench) -> None:
    envelope = bench.build("ann", pay())
    bench.ok(envelope)
    for _ in range(BANNED_LEDGERS):
        assert bench.submit(envelope).status is Status.TRY_AGAIN_LATER
        bench.close()
    assert bench.codes(envelope) == tx("tx_bad_seq")


def test_an_account_has_one_transaction_waiting(bench: Bench) -> None:
    first = bench.build("ann", pay("1"))
    assert bench.submit(first).status is Status.PENDING
    assert bench.submit(bench.build("ann", pay("2"))).status is Status.TRY_AGAIN_LATER
    assert bench.submit(bench.build("ann", pay("2"), sequence=first.transaction.sequence + 1)).status is Status.TRY_AGAIN_LATER
    assert bench.codes(bench.build("ann", pay("2"), sequence=first.transaction.sequence - 1)) == tx("tx_bad_seq")


def test_only_a_fee_bump_of_ten_times_the_fee_takes_the_place_of_one_that_waits(bench: Bench) -> None:
    inner = bench.build("ann", pay())
    assert bench.submit(inner).status is Status.PENDING
    cheap = bench.submit(bench.bump(inner, "cem", 1_999))
    assert cheap.result is not None
    assert (cheap.status, cheap.result.fee_charged.int64) == (Status.ERROR, 2_000)
    replacement = bench.bump(inner, "cem", 2_000)
    assert bench.submit(replacement).status is Status.PENDING
    assert bench.submit(inner).status is Status.DUPLICATE
    assert [each.frame.hash for each in bench.close().applied] == [replacement.hash()]


BUMPS = [
    ("too small for its operations", 199, "cem", None, tx("tx_insufficient_fee")),
    ("a lower rate than the inner's", 599, "cem", None, tx("tx_insufficient_fee")),
    ("nobody pays", 1_000, "nobody", None, tx("tx_no_source_account")),
    ("signed by another", 1_000, "cem", "bob", tx("tx_bad_auth")),
    ("cannot be paid", 1_000 * 10**7, "cem", None, tx("tx_insufficient_balance")),
]


@pytest.mark.parametrize(("fee", "payer", "signer", "told"), [pytest.param(*each[1:], id=each[0]) for each in BUMPS])
def test_fee_bumps_are_refused(bench: Bench, fee: int, payer: str, signer: str | None, told: dict[str, object]) -> None:
    inner = bench.build("ann", pay(), fee=300)
    assert bench.codes(bench.bump(inner, payer, fee, signer=signer)) == told


def test_a_bump_shows_what_is_wrong_inside_it(bench: Bench) -> None:
    inner = bench.build("ann", pay(), sequence=7)
    told = bench.codes(bench.bump(inner, "cem", 1_000))
    assert told == {"transaction": "tx_fee_bump_inner_failed", "inner_transaction": "tx_bad_seq"}


def test_a_bump_pays_for_an_account_that_has_nothing_to_spare(bench: Bench) -> None:
    before = bench.account("cem").balance
    bench.ok(bench.bump(bench.build("poor", BumpSequence(0), fee=0), "cem", 2_000))
    assert bench.account("poor").balance == 10**7
    assert before - bench.account("cem").balance == 200


def test_what_no_ledger_takes_is_thrown_out_after_four_and_turned_away_for_ten(bench: Bench) -> None:
    envelope = bench.build("ann", pay())
    frame = bench.chain.read(envelope.to_xdr())
    assert bench.submit(envelope).status is Status.PENDING
    bench.chain.queue.lose(frame)
    for _ in range(AGE_MAX):
        assert bench.submit(envelope).status is Status.DUPLICATE
        bench.close()
    assert bench.submit(envelope).status is Status.TRY_AGAIN_LATER
    bumped = bench.bump(envelope, "cem", 2_000)
    assert bench.submit(bumped).status is Status.PENDING, "the ban is on the envelope, not on what is in it"


def test_a_full_queue_lets_higher_bids_in_and_bans_the_lowest(bench: Bench) -> None:
    bench.chain.capacity = 1
    low, middle = bench.build("ann", pay(), fee=100), bench.build("bob", pay("1", to="ann"), fee=200)
    assert [bench.submit(each).status for each in (low, middle)] == [Status.PENDING] * 2
    assert bench.submit(bench.build("cem", pay(), fee=100)).status is Status.TRY_AGAIN_LATER
    assert bench.submit(bench.build("cem", pay("2"), fee=300)).status is Status.PENDING
    assert bench.submit(low).status is Status.TRY_AGAIN_LATER


def test_in_a_full_ledger_everyone_pays_the_lowest_bid_that_got_in(bench: Bench) -> None:
    bench.chain.capacity = 2
    for name, fee in (("ann", 100), ("bob", 500), ("cem", 900)):
        assert bench.submit(bench.build(name, pay("1", to="ann"), fee=fee)).status is Status.PENDING
    assert [each.result.fee_charged.int64 for each in bench.close().applied] == [500, 500]
    assert [each.result.fee_charged.int64 for each in bench.close().applied] == [100]


def test_one_payer_cannot_promise_its_money_twice(bench: Bench) -> None:
    whole = 998 * 10**7
    assert bench.submit(bench.bump(bench.build("ann", pay()), "cem", whole)).status is Status.PENDING
    assert bench.codes(bench.bump(bench.build("bob", pay(to="ann")), "cem", whole)) == tx("tx_insufficient_balance")


@pytest.mark.parametrize("text", ["", "!", "AAAA", base64.b64encode(bytes(40)).decode()])
def test_what_is_no_envelope_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEnvelope):
        decode(text, NETWORK_ID)


def test_an_envelope_has_one_encoding_only(bench: Bench) -> None:
    raw = base64.b64decode(bench.build("ann", pay()).to_xdr())
    for changed in (raw + bytes(4), raw[:-1], raw[:-4]):
        with pytest.raises(MalformedEnvelope):
            decode(base64.b64encode(changed).decode(), NETWORK_ID)

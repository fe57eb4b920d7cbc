"""What is done about a slot, by table; and that nothing that is done leaves the slot, whatever Horizon claims."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import xdr

from services.payouts.clients.envelopes import read_applied, read_refusal
from services.payouts.domain.account_making import fee_of
from services.payouts.domain.slot_outcomes import (
    ADMISSION,
    FAULTS,
    REASONS,
    RETRY_SECONDS,
    Applied,
    Fault,
    Item,
    outcomes,
    state_of,
)
from services.payouts.domain.slots import (
    FIRST_BID,
    Build,
    Bump,
    Envelope,
    Find,
    Look,
    Move,
    Sign,
    Slot,
    Standing,
    Submit,
    Told,
    Wait,
    behind_chain,
    next_move,
)
from services.payouts.domain.sweeps import next_bid

ALL = frozenset({0, 1})
CAP = 10_000
NEW = Envelope("a", "a", 1, "payment", ALL, 100, max_ledger=20)
SIGNED = replace(NEW, is_signed=True)


def _sent(told: Told, *, first: int = 5, last: int = 5, **changes: Any) -> Envelope:
    return replace(SIGNED, told=told, first_ledger=first, last_ledger=last, **changes)


@pytest.mark.parametrize(
    ("envelopes", "look", "wanted", "move"),
    [
        ((), Look(6, 5), ALL, Build(1, ALL, FIRST_BID)),
        ((NEW,), Look(6, 5), ALL, Sign("a")),
        ((SIGNED,), Look(6, 5), ALL, Submit("a")),
        ((SIGNED,), Look(7, 5), ALL, Find()),
        ((NEW,), Look(9, 5), ALL, Find()),
        ((_sent(Told.TAKEN),), Look(6, 5), ALL, Wait()),
        ((_sent(Told.TAKEN),), Look(6, 6), ALL, Submit("a")),
        ((_sent(Told.NOTHING),), Look(6, 6), ALL, Submit("a")),
        ((_sent(Told.LOOK),), Look(6, 5), ALL, Wait()),
        ((_sent(Told.LATER, last=6),), Look(6, 7), ALL, Bump("a", 1_000)),
        ((_sent(Told.LOW_FEE),), Look(6, 5), ALL, Bump("a", 1_000)),
        ((_sent(Told.POOR),), Look(6, 5), ALL, Bump("a", 100)),
        ((replace(_sent(Told.POOR, last=7), hash="b"),), Look(6, 7), ALL, Wait()),
        ((_sent(Told.LATER, last=6, bid=CAP),), Look(6, 7), ALL, Submit("a")),
        ((_sent(Told.LATER, bid=5_000),), Look(6, 7), ALL, Bump("a", CAP)),
        ((_sent(Told.TAKEN),), Look(6, 19), ALL, Build(2, ALL, 100)),
        ((_sent(Told.EXPIRED),), Look(6, 6), ALL, Build(2, ALL, 100)),
        ((_sent(Told.TAKEN),), Look(6, 6), frozenset({1}), Build(2, frozenset({1}), FIRST_BID)),
        ((_sent(Told.TAKEN),), Look(6, 6), frozenset(), Build(2, frozenset(), FIRST_BID)),
        ((_sent(Told.TAKEN), replace(NEW, hash="b", inner_hash="b", generation=2)), Look(6, 6), ALL, Sign("b")),
        ((_sent(Told.TAKEN), replace(SIGNED, hash="b", inner_hash="b", generation=2)), Look(6, 6), ALL, Bump("b", 1_000)),
        ((_sent(Told.TAKEN), replace(SIGNED, hash="b", inner_hash="b", generation=2)), Look(6, 19), ALL, Build(3, ALL, 100)),
        (
            (_sent(Told.TAKEN), replace(SIGNED, hash="b", inner_hash="b", generation=2, bid=1_000, max_ledger=30)),
            Look(6, 6),
            ALL,
            Submit("b"),
        ),
    ],
)
def test_the_next_move(envelopes: tuple[Envelope, ...], look: Look, wanted: frozenset[int], move: Move) -> None:
    assert next_move(Slot(7, wanted, envelopes), look, bid_max=CAP) == move


def test_in_a_full_ledger_payments_go_before_accounts_that_are_made_and_swept() -> None:
    first = next_move(Slot(7, ALL, ()), Look(6, 5), bid_max=CAP)
    assert isinstance(first, Build)
    assert first.bid > max(fee_of(1), next_bid(0))


@given(st.lists(st.tuples(st.integers(5, 8), st.integers(0, 60), st.sampled_from(Told), st.booleans()), max_size=60))
def test_whatever_is_heard_bids_stay_below_the_most_and_only_what_is_signed_is_handed_in(
    heard: list[tuple[int, int, Told, bool]],
) -> None:
    """Horizon and the caller say anything in any order; what is made is kept as the tables keep it."""
    made: dict[str, Envelope] = {}
    canceled = False
    for sequence, ledger, told, cancels in heard:
        canceled = canceled or cancels
        wanted = frozenset({0}) if canceled else ALL
        move = next_move(Slot(7, wanted, tuple(made.values())), Look(sequence, ledger), bid_max=CAP)
        name = str(len(made))
        if isinstance(move, Build):
            assert move.generation == 1 + max((each.generation for each in made.values()), default=0)
            made[name] = Envelope(name, name, move.generation, move.kind, move.places, move.bid, ledger + 16)
        elif isinstance(move, Bump):
            inner = made[move.inner_hash]
            assert inner.is_signed
            assert inner.bid < move.bid <= CAP or (inner.bid == move.bid and inner.told == Told.POOR)
            made[name] = replace(inner, hash=name, bid=move.bid, is_signed=False, told=None, first_ledger=0)
        elif isinstance(move, Sign):
            made[move.hash] = replace(made[move.hash], is_signed=True)
        elif isinstance(move, Submit):
            assert made[move.hash].is_signed
            assert made[move.hash].places == wanted
            first = made[move.hash].first_ledger or ledger
            made[move.hash] = replace(made[move.hash], told=told, first_ledger=first, last_ledger=ledger)
    assert len({each.inner_hash for each in made.values()}) == len({each.generation for each in made.values()})


@pytest.mark.parametrize(
    ("next_sequence", "has_slot", "chain", "is_behind"),
    [
        (None, False, 7 << 32, False),
        (None, False, (7 << 32) + 1, True),
        (9, False, 7, False),  # Horizon lags
        (9, False, 8, False),
        (9, False, 9, True),
        (9, True, 9, False),  # the slot is taken, and about to be closed
        (9, True, 10, True),
    ],
)
def test_a_database_that_has_forgotten_what_a_channel_did_is_told(
    next_sequence: int | None, chain: int, *, has_slot: bool, is_behind: bool
) -> None:
    standing = Standing("G", next_sequence, has_slot=has_slot, is_quarantined=False)
    assert (behind_chain(standing, chain) is not None) == is_behind


def _applied(*codes: str, is_successful: bool = False) -> Applied:
    return Applied("h", "a", "G", 7, 9, is_successful, codes)


ITEMS = [Item(0, "t", "wth_0", is_canceled=False), Item(1, "t", "wth_1", is_canceled=False)]
CALLED_OFF = [ITEMS[0], replace(ITEMS[1], is_canceled=True)]
TOMB = replace(NEW, kind="tombstone", places=frozenset())


@pytest.mark.parametrize(
    ("items", "applied", "envelope", "state", "endings"),
    [
        (ITEMS, _applied("op_success", "op_success", is_successful=True), NEW, "PAID", ["PAID", "PAID"]),
        (ITEMS, _applied("op_success", "op_no_trust"), NEW, "FAILED", [None, "FAILED"]),
        (ITEMS, _applied("op_underfunded", "op_no_trust"), NEW, "FAILED", [None, "FAILED"]),
        (ITEMS, _applied(), NEW, "FAILED", [None, None]),
        (CALLED_OFF, _applied("op_success", "op_success", is_successful=True), NEW, "PAID", ["PAID", "PAID"]),
        (CALLED_OFF, _applied("op_no_trust", "op_success"), NEW, "FAILED", ["FAILED", "CANCELED"]),
        (
            CALLED_OFF,
            _applied("op_success", is_successful=True),
            replace(NEW, places=frozenset({0})),
            "PAID",
            ["PAID", "CANCELED"],
        ),
        (CALLED_OFF, _applied("op_success", is_successful=True), TOMB, "VOID", [None, "CANCELED"]),
    ],
)
def test_what_comes_of_a_slot(
    items: list[Item], applied: Applied, envelope: Envelope, state: str, endings: list[str | None]
) -> None:
    assert state_of(applied, envelope) == state
    assert [outcome.ending for outcome in outcomes(items, applied, envelope)] == endings


@pytest.mark.parametrize(("code", "fault"), [*FAULTS.items(), ("op_of_next_year", Fault.OURS)])
def test_each_code_gives_the_money_back_or_keeps_it_put_by(code: str, fault: Fault) -> None:
    [outcome] = outcomes(ITEMS[:1], _applied(code), replace(NEW, places=frozenset({0})))
    gives_back = fault in (Fault.DESTINATION, Fault.PERMANENT)
    assert outcome.ending == ("FAILED" if gives_back else None)
    assert outcome.reason == REASONS.get(code)
    assert outcome.wait_seconds == (RETRY_SECONDS if fault == Fault.OURS else 0)


def _result(code: xdr.TransactionResultCode, operations: list[xdr.OperationResult] | None = None) -> str:
    body = xdr.TransactionResultResult(code, results=operations)
    return xdr.TransactionResult(xdr.Int64(100), body, xdr.TransactionResultExt(0)).to_xdr()


@pytest.mark.parametrize("code", xdr.PaymentResultCode)
def test_every_code_of_a_payment_is_read_and_known(code: xdr.PaymentResultCode) -> None:
    tr = xdr.OperationResultTr(xdr.OperationType.PAYMENT, payment_result=xdr.PaymentResult(code))
    result = _result(xdr.TransactionResultCode.txFAILED, [xdr.OperationResult(xdr.OperationResultCode.opINNER, tr)])
    [name], is_successful = read_applied(result)
    assert name in FAULTS
    assert not is_successful


@pytest.mark.parametrize("code", [code for code in xdr.OperationResultCode if code != xdr.OperationResultCode.opINNER])
def test_every_code_of_any_operation_is_read_and_known(code: xdr.OperationResultCode) -> None:
    [name], _ = read_applied(_result(xdr.TransactionResultCode.txFAILED, [xdr.OperationResult(code)]))
    assert FAULTS[name] == Fault.OURS


WITH_RESULTS = (xdr.TransactionResultCode.txSUCCESS, xdr.TransactionResultCode.txFAILED)
INSIDE = (xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS, xdr.TransactionResultCode.txFEE_BUMP_INNER_FAILED)


@pytest.mark.parametrize("code", [code for code in xdr.TransactionResultCode if code not in INSIDE])
def test_every_refusal_at_the_door_is_known(code: xdr.TransactionResultCode) -> None:
    name = read_refusal(_result(code, [] if code in WITH_RESULTS else None))
    assert name in ADMISSION or code == xdr.TransactionResultCode.txSUCCESS


@pytest.mark.parametrize("text", ["", "AAAA", "not base 64", "AAAAAAAAAGT/////AAAA"])
def test_what_is_no_result_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no transaction result"):
        read_applied(text)

"""Facts of the network that anybody can look up: codes, ids, hashes, addresses."""

from dataclasses import replace

import pytest
from stellar_sdk import Asset, Network, Payment, xdr
from stellar_sdk.sep.toid import TOID

from deploy.sandbox.horizon.chain.frames import decode
from deploy.sandbox.horizon.chain.values import amount, ledger_of, total_order
from deploy.sandbox.horizon.ledger.codes import operation_code, result_codes, transaction_code
from deploy.sandbox.horizon.ledger.header import (
    Header,
    decode_header,
    encode_result_set,
    encode_transaction_set,
    root_keypair,
    with_skips,
)
from deploy.sandbox.horizon.ledger.results import unjudged
from deploy.sandbox.horizon.operations.catalog import SUPPORTED
from tests.support.chain import NETWORK_ID, Bench, address

CODES = [
    ("AAAAAAAAAAD////7AAAAAA==", {"transaction": "tx_bad_seq"}),
    ("AAAAAAAAAAD////+AAAAAA==", {"transaction": "tx_too_early"}),
    ("AAAAAAAAAAD////9AAAAAA==", {"transaction": "tx_too_late"}),
    ("AAAAAAAAAAD////4AAAAAA==", {"transaction": "tx_no_source_account"}),
    ("AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+wAAAAA=", {"transaction": "tx_failed", "operations": ["op_no_destination"]}),
    ("AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////gAAAAA=", {"transaction": "tx_failed", "operations": ["op_underfunded"]}),
    ("AAAAAAAAAGT/////AAAAAf////8AAAAA", {"transaction": "tx_failed", "operations": ["op_bad_auth"]}),
    ("AAAAAAAAAGT/////AAAAAf////4AAAAA", {"transaction": "tx_failed", "operations": ["op_no_source_account"]}),
]


@pytest.mark.parametrize(("result", "told"), CODES)
def test_results_of_the_network_read_as_horizon_prints_them(result: str, told: dict[str, object]) -> None:
    assert result_codes(xdr.TransactionResult.from_xdr(result)) == told


def test_codes_that_do_not_follow_from_their_names() -> None:
    codes = xdr.TransactionResultCode
    assert transaction_code(codes.txBAD_MIN_SEQ_AGE_OR_GAP) == "tx_bad_minseq_age_or_gap"
    assert transaction_code(codes.txFEE_BUMP_INNER_FAILED) == "tx_fee_bump_inner_failed"
    assert all(transaction_code(code).startswith("tx_") for code in codes)


@pytest.mark.parametrize("kind", sorted(SUPPORTED))
def test_an_operation_that_was_not_reached_is_a_success_of_nothing(kind: xdr.OperationType) -> None:
    raw = xdr.Operation.__new__(xdr.Operation)
    raw.body = xdr.OperationBody.__new__(xdr.OperationBody)
    raw.body.type = kind
    result = unjudged(raw)
    assert operation_code(result) == "op_success"
    assert getattr(result.tr, SUPPORTED[kind].arm) is not None


ROOTS = [
    (Network.TESTNET_NETWORK_PASSPHRASE, "GBRPYHIL2CI3FNQ4BXLFMNDLFJUNPU2HY3ZMFSHONUCEOASW7QC7OX2H"),
    (Network.STANDALONE_NETWORK_PASSPHRASE, "GBZXN7PIRZGNMHGA7MUUUF4GWPY5AYPV6LY4UV2GL6VJGIQRXFDNMADI"),
]


@pytest.mark.parametrize(("passphrase", "root"), ROOTS)
def test_the_root_account_follows_from_the_passphrase(passphrase: str, root: str) -> None:
    assert root_keypair(Network(passphrase).network_id()).public_key == root


@pytest.mark.parametrize("place", [(1, 0, 0), (7, 1, 0), (2**31 - 1, 2**20 - 1, 2**12 - 1)])
def test_the_total_order_is_everybodys(place: tuple[int, int, int]) -> None:
    assert total_order(*place) == TOID(*place).to_int64()
    assert ledger_of(total_order(*place)) == place[0]


@pytest.mark.parametrize(("stroops", "shown"), [(0, "0.0000000"), (1, "0.0000001"), (10**18, "100000000000.0000000")])
def test_amounts_have_seven_decimals(stroops: int, shown: str) -> None:
    assert amount(stroops) == shown


def test_hashes_of_transactions_and_bumps_are_those_of_the_library() -> None:
    bench = Bench()
    bench.accounts("ann")
    envelope = bench.build("ann", Payment(address("ann"), Asset.native(), "1"))
    bump = bench.bump(envelope, "ann", 1_000)
    assert decode(envelope.to_xdr(), NETWORK_ID).hash == envelope.hash()
    assert decode(bump.to_xdr(), NETWORK_ID).hashes == (bump.hash_hex(), envelope.hash_hex())


def test_the_first_form_of_an_envelope_signs_to_the_same_hash() -> None:
    bench = Bench()
    bench.accounts("ann")
    envelope = bench.build("ann", Payment(address("ann"), Asset.native(), "1"))
    new = envelope.to_xdr_object().v1
    assert new is not None
    source = new.tx.source_account.ed25519
    assert source is not None
    tx = xdr.TransactionV0(
        source, new.tx.fee, new.tx.seq_num, new.tx.cond.time_bounds, new.tx.memo, new.tx.operations, xdr.TransactionV0Ext(0)
    )
    old = xdr.TransactionEnvelope(xdr.EnvelopeType.ENVELOPE_TYPE_TX_V0, v0=xdr.TransactionV0Envelope(tx, new.signatures))
    frame = decode(old.to_xdr(), NETWORK_ID)
    assert (frame.hash, frame.envelope_xdr) == (envelope.hash(), envelope.to_xdr())


def test_headers_chain_and_their_parts_are_xdr() -> None:
    bench = Bench()
    previous = bench.chain.hash
    bench.accounts("ann", "bob")
    for _ in range(3):
        envelope = bench.build("ann", Payment(address("bob"), Asset.native(), "1"))
        assert bench.chain.header.previous_hash == previous
        previous = bench.chain.hash
        bench.submit(envelope)
        closed = bench.close()
        frames = [each.frame for each in closed.applied]
        transactions = xdr.GeneralizedTransactionSet.from_xdr_bytes(encode_transaction_set(previous, frames, 100))
        assert transactions.v1_tx_set is not None
        assert transactions.v1_tx_set.previous_ledger_hash.hash == previous
        results = encode_result_set([(each.frame.hash, each.result) for each in closed.applied])
        assert len(xdr.TransactionResultSet.from_xdr_bytes(results).results) == 1
        assert decode_header(closed.header.encoded()) == closed.header


def test_every_fiftieth_ledger_is_remembered_in_the_skip_list() -> None:
    marks = {number: number.to_bytes(32, "big") for number in (50, 100, 5_050, 5_100)}
    header = Header(49, bytes(32), bytes(32), bytes(32), bytes(32), close_time=0, fee_pool=0)
    for number, mark in marks.items():
        header = with_skips(replace(header, sequence=number, entries_hash=mark))
    assert header.skips == (marks[5_100], marks[100], bytes(32), bytes(32))

"""Ledger headers: each names the one before by its hash, so that a changed past would show."""

import base64
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from stellar_sdk import Keypair, xdr

from deploy.sandbox.horizon.chain.entries import Account, Entry
from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.chain.rules import PROTOCOL_VERSION
from deploy.sandbox.horizon.chain.values import STROOPS

TOTAL_COINS: Final = 100_000_000_000 * STROOPS
BASE_FEE: Final = 100
BASE_RESERVE: Final = STROOPS // 2
CAPACITY: Final = 1_000
GENESIS: Final = 1
_NOTHING: Final = bytes(32)
_SKIPS: Final = (50, 5_000, 50_000, 500_000)


@dataclass(frozen=True, slots=True)
class Header:
    """One ledger's header. `entries_hash` chains over all changes of entries; a real network keeps a bucket list's there."""

    sequence: int
    previous_hash: bytes
    transactions_hash: bytes
    results_hash: bytes
    entries_hash: bytes
    close_time: int
    fee_pool: int
    base_fee: int = BASE_FEE
    base_reserve: int = BASE_RESERVE
    capacity: int = CAPACITY
    skips: tuple[bytes, ...] = (_NOTHING,) * 4

    def encoded(self) -> bytes:
        """Write it as XDR."""
        value = xdr.StellarValue(
            tx_set_hash=xdr.Hash(self.transactions_hash),
            close_time=xdr.TimePoint(xdr.Uint64(self.close_time)),
            upgrades=[],
            ext=xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_BASIC),
        )
        header = xdr.LedgerHeader(
            ledger_version=xdr.Uint32(PROTOCOL_VERSION),
            previous_ledger_hash=xdr.Hash(self.previous_hash),
            scp_value=value,
            tx_set_result_hash=xdr.Hash(self.results_hash),
            bucket_list_hash=xdr.Hash(self.entries_hash),
            ledger_seq=xdr.Uint32(self.sequence),
            total_coins=xdr.Int64(TOTAL_COINS),
            fee_pool=xdr.Int64(self.fee_pool),
            inflation_seq=xdr.Uint32(0),
            id_pool=xdr.Uint64(0),
            base_fee=xdr.Uint32(self.base_fee),
            base_reserve=xdr.Uint32(self.base_reserve),
            max_tx_set_size=xdr.Uint32(self.capacity),
            skip_list=[xdr.Hash(each) for each in self.skips],
            ext=xdr.LedgerHeaderExt(0),
        )
        return header.to_xdr_bytes()

    @property
    def hash(self) -> bytes:
        """The ledger's hash."""
        return hashlib.sha256(self.encoded()).digest()


def decode_header(encoded: bytes) -> Header:
    """Read a header back from XDR."""
    raw = xdr.LedgerHeader.from_xdr_bytes(encoded)
    return Header(
        sequence=raw.ledger_seq.uint32,
        previous_hash=raw.previous_ledger_hash.hash,
        transactions_hash=raw.scp_value.tx_set_hash.hash,
        results_hash=raw.tx_set_result_hash.hash,
        entries_hash=raw.bucket_list_hash.hash,
        close_time=raw.scp_value.close_time.time_point.uint64,
        fee_pool=raw.fee_pool.int64,
        base_fee=raw.base_fee.uint32,
        base_reserve=raw.base_reserve.uint32,
        capacity=raw.max_tx_set_size.uint32,
        skips=tuple(each.hash for each in raw.skip_list),
    )


def root_keypair(network_id: bytes) -> Keypair:
    """Return the key of the account that owns all lumens in the beginning: the network's id is its seed."""
    return Keypair.from_raw_ed25519_seed(network_id)


def genesis(network_id: bytes, close_time: int) -> tuple[Header, Account]:
    """Return the first ledger and the one account in it."""
    root = Account(root_keypair(network_id).public_key, TOTAL_COINS, sequence=0, last_modified=GENESIS)
    changes: dict[str, Entry | None] = {root.id: root}
    header = Header(GENESIS, _NOTHING, _NOTHING, _NOTHING, chain_entries(_NOTHING, changes), close_time, fee_pool=0)
    return header, root


def chain_entries(before: bytes, changes: dict[str, Entry | None]) -> bytes:
    """Extend the hash over all changes of entries by one ledger's."""
    digest = hashlib.sha256(before)
    for key in sorted(changes):
        digest.update(key.encode())
        digest.update(msgspec.msgpack.encode(changes[key]))
    return digest.digest()


def with_skips(header: Header) -> Header:
    """Remember every so many ledgers' entries hash in the header, as the network's skip list does."""
    one, two, three, four = _SKIPS
    skips, sequence = list(header.skips), header.sequence
    if sequence % one:
        return header
    if (back := sequence - one) > 0 and back % two == 0:
        if (back := back - two) > 0 and back % three == 0:
            if (back := back - three) > 0 and back % four == 0:
                skips[3] = skips[2]
            skips[2] = skips[1]
        skips[1] = skips[0]
    skips[0] = header.entries_hash
    return replace(header, skips=tuple(skips))


def encode_transaction_set(previous_hash: bytes, frames: Iterable[Frame], base_fee: int) -> bytes:
    """Write a GeneralizedTransactionSet, spliced from the envelopes as they were sent: one phase of one component, one empty."""
    envelopes = [base64.b64decode(frame.envelope_xdr) for frame in sorted(frames, key=lambda frame: frame.envelope_hash)]
    component = struct.pack(">iiqI", 0, 1, base_fee, len(envelopes)) + b"".join(envelopes)
    classic = struct.pack(">iI", 0, 1) + component if envelopes else struct.pack(">iI", 0, 0)
    return struct.pack(">i", 1) + previous_hash + struct.pack(">I", 2) + classic + struct.pack(">iI", 0, 0)


def encode_result_set(results: Sequence[tuple[bytes, xdr.TransactionResult]]) -> bytes:
    """Write a TransactionResultSet of (hash, result)."""
    return struct.pack(">I", len(results)) + b"".join(each + result.to_xdr_bytes() for each, result in results)

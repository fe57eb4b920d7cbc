"""A ledger proved by its header: each header names the one before by hash, and the results of all its transactions by theirs.

So whoever has one ledger's hash can tell whether what is shown as the next ledgers hangs together, is whole and is in order,
without believing whoever shows it. What is not proved is not looked at.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.payouts.domain.envelope_xdr import Read, has_hash, read
from services.payouts.domain.result_xdr import Result, read_result
from services.payouts.domain.xdr import Reader, UnreadableXdrError

HASH_BYTES: Final = 32
NO_RESULTS: Final = hashlib.sha256(bytes(4)).digest()
"""What a header says of a ledger without transactions."""
_UPGRADES_MAX: Final = 6


class UnprovedError(Exception):
    """What is shown does not follow from what is known. A lagging or torn answer looks the same as a lie: ask again."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says, its own hash first."""

    hash: bytes
    sequence: int
    previous: bytes
    results: bytes
    closed_at: int
    """Unix seconds, by the network's clock."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A transaction as somebody shows it: its hash, and envelope and result in XDR."""

    hash: bytes
    envelope: bytes
    result: bytes


@dataclass(frozen=True, slots=True)
class Proved:
    """A transaction that is in a ledger for sure; `order` is its place there, from 1."""

    order: int
    hash: bytes
    read: Read
    result: Result


def read_header(header: bytes) -> Header:
    """Read a header.

    Raises:
        UnprovedError: it is none.
    """
    reader = Reader(header)
    try:
        reader.skip(4)  # protocol
        previous = reader.take(HASH_BYTES)
        reader.skip(HASH_BYTES)  # transactions
        closed_at = reader.u64()
        for _ in range(reader.count(_UPGRADES_MAX)):
            reader.opaque()
        if reader.count(1):  # signed by a validator
            reader.account()
            reader.opaque()
        results = reader.take(HASH_BYTES)
        reader.skip(HASH_BYTES)  # entries
        sequence = reader.i32()
    except UnreadableXdrError as error:
        raise UnprovedError(f"no header: {error}") from error
    return Header(hashlib.sha256(header).digest(), sequence, previous, results, closed_at)


def follow(known: tuple[int, bytes], headers: Sequence[Header]) -> list[Header]:
    """Return the headers that follow a known (sequence, hash) one by one, up to the first that does not.

    Raises:
        UnprovedError: the first does not.
    """
    sequence, digest = known
    proved: list[Header] = []
    for header in headers:
        if (header.sequence, header.previous) != (sequence + 1, digest):
            break
        proved.append(header)
        sequence, digest = header.sequence, header.hash
    if headers and not proved:
        raise UnprovedError(f"ledger {headers[0].sequence} does not follow {sequence}")
    return proved


def is_whole(header: Header, shown: Sequence[Shown]) -> bool:
    """Tell whether these are all the transactions of a ledger, in order, with their results: the header has the hash of that."""
    digest = hashlib.sha256(len(shown).to_bytes(4))
    for each in shown:
        digest.update(each.hash)
        digest.update(each.result)
    return digest.digest() == header.results


def prove(shown: Sequence[Shown], network_id: bytes) -> list[Proved]:
    """Read the transactions of a whole ledger.

    Raises:
        UnprovedError: an envelope is not the one whose hash is in the ledger.
        UnreadableXdrError: one is in the ledger, and we can't read it: the network has learnt what this program has not.
    """
    proved: list[Proved] = []
    for order, each in enumerate(shown, 1):
        if not has_hash(each.envelope, network_id, each.hash):
            raise UnprovedError(f"the envelope of {each.hash.hex()} is another one")
        proved.append(Proved(order, each.hash, read(each.envelope), read_result(each.result)))
    return proved


def operation_id(ledger: int, order: int, place: int) -> int:
    """Number an operation for all time, as Horizon does; `order` counts transactions from 1, `place` operations from 0."""
    return ledger << 32 | order << 12 | place + 1


def from_base64(text: str) -> bytes:
    """Read base 64.

    Raises:
        UnprovedError: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnprovedError("no base 64") from error

"""What a transaction does to accounts' money, read from its envelope; and its hash, which says that it is that transaction."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from services.payouts.domain.strkey import KEY_BYTES
from services.payouts.domain.xdr import NATIVE_XDR, Reader, UnreadableXdrError

PAYMENT: Final = 1
CREATE_ACCOUNT: Final = 0
STRICT_RECEIVE: Final = 2
ACCOUNT_MERGE: Final = 8
STRICT_SEND: Final = 13
CLAIMABLE: Final = 14
"""Sets an amount aside for whoever of some claims it: nobody holds it until then."""
_CONTRACTS: Final = (24, 25, 26)
"""Operations of contracts: alone in their transaction, and none of them pays an account by itself."""
_V0, _V1, _FEE_BUMP = 0, 2, 5
_OPERATIONS_MAX: Final = 100
_SIGNATURES_MAX: Final = 20
_SIGNATURE_BYTES_MAX: Final = 64


class Transfer(NamedTuple):
    """An operation that gives an account money, or may let it claim some. `amount` is None where only the result tells it."""

    place: int
    """Among the transaction's operations, from 0."""
    kind: int
    source: bytes
    destination: bytes
    number: int | None
    """The one in the destination's address, if it is muxed."""
    asset: bytes
    amount: int | None


class Read(NamedTuple):
    """A transaction as far as money goes. `memo` is its kind and value, as `id:7`; hashes are in hex."""

    memo: str
    kinds: tuple[int, ...]
    """Of all its operations, in order; none when it calls a contract."""
    transfers: tuple[Transfer, ...]
    payer: bytes = b""
    """Whose sequence number it takes, and who pays the fee unless it is a fee bump."""
    body: slice = slice(0, 0)
    """Where in the envelope the transaction stands without its signatures; nowhere when it calls a contract."""


def read(envelope: bytes) -> Read:
    """Read an envelope: of a fee bump the transaction inside.

    Raises:
        UnreadableXdrError: it is none, or has an operation that did not exist when this was written.
    """
    reader = Reader(envelope)
    kind = reader.i32()
    if kind == _FEE_BUMP:
        reader.muxed()
        reader.i64()
        kind = reader.i32()
    begin = reader.at
    if kind == _V0:
        source = reader.take(KEY_BYTES)
    elif kind == _V1:
        source, _ = reader.muxed()
    else:
        raise UnreadableXdrError(f"envelope of kind {kind}")
    reader.skip(4 + 8)  # fee, sequence
    _pass_conditions(reader)
    memo = _memo(reader)
    kinds: list[int] = []
    transfers: list[Transfer] = []
    for place in range(reader.count(_OPERATIONS_MAX)):
        payer = reader.muxed()[0] if reader.count(1) else source
        operation = reader.i32()
        if operation in _CONTRACTS:
            return Read(memo, (), (), source)
        kinds.append(operation)
        if operation in _TRANSFERS:
            transfers.append(Transfer(place, operation, payer, *_TRANSFERS[operation](reader)))
        elif operation == CLAIMABLE:
            asset, amount, claimants = _claimable(reader)
            transfers += [Transfer(place, operation, payer, each, None, asset, amount) for each in claimants]
        elif operation in _OTHERS:
            _OTHERS[operation](reader)
        else:
            raise UnreadableXdrError(f"operation of kind {operation}")
    reader.skip(4)  # the end of a transaction that has nothing to do with contracts
    return Read(memo, tuple(kinds), tuple(transfers), source, slice(begin, reader.at))


def signatures(envelope: bytes, found: Read, network_id: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the hash of a transaction that was read, of a fee bump the one inside, and its signatures, hints first.

    Raises:
        UnreadableXdrError: they can't be read.
    """
    is_old = int.from_bytes(envelope[:4]) == _V0
    digest = hashlib.sha256(network_id + _V1.to_bytes(4) + (bytes(4) if is_old else b"") + envelope[found.body])
    reader = Reader(envelope, found.body.stop)
    return digest.digest(), [(reader.take(4), reader.opaque()) for _ in range(reader.count(_SIGNATURES_MAX))]


def is_fee_bump(envelope: bytes) -> bool:
    """Tell whether somebody else pays the fee."""
    return int.from_bytes(envelope[:4]) == _FEE_BUMP


def has_hash(envelope: bytes, network_id: bytes, wanted: bytes) -> bool:
    """Tell whether an envelope is that of this hash: what is signed is all but the signatures, which are at its end."""
    kind = int.from_bytes(envelope[:4])
    if kind == _V0:  # hashed as the newer form, which says of what kind its source's key is
        begin = hashlib.sha256(network_id + _V1.to_bytes(4) + bytes(4))
    elif kind in (_V1, _FEE_BUMP):
        begin = hashlib.sha256(network_id + kind.to_bytes(4))
    else:
        return False
    for end in _ends(envelope):
        digest = begin.copy()
        digest.update(envelope[4:end])
        if digest.digest() == wanted:
            return True
    return False


def _ends(envelope: bytes) -> Iterator[int]:
    """Say where what is signed may end: wherever a list of signatures begins that fills the rest; mostly that is one place."""
    usual = 4 + 4 + _SIGNATURE_BYTES_MAX
    size = len(envelope)
    for end in range(size - 4, max(0, size - 4 - _SIGNATURES_MAX * usual) - 1, -4):
        if int.from_bytes(envelope[end : end + 4]) <= _SIGNATURES_MAX and _are_signatures(envelope, end):
            yield end


def _are_signatures(envelope: bytes, at: int) -> bool:
    left = int.from_bytes(envelope[at : at + 4])
    at += 4
    while left and at + 8 <= len(envelope):
        length = int.from_bytes(envelope[at + 4 : at + 8])
        if length > _SIGNATURE_BYTES_MAX:
            return False
        at += 8 + length + -length % 4
        left -= 1
    return left == 0 and at == len(envelope)


def _pass_conditions(reader: Reader) -> None:
    kind = reader.count(2)
    if kind == 1:
        reader.skip(16)
    elif kind:
        reader.optional(lambda: reader.skip(16))  # time
        reader.optional(lambda: reader.skip(8))  # ledgers
        reader.optional(lambda: reader.skip(8))  # least sequence number
        reader.skip(8 + 4)  # its age and gap
        for _ in range(reader.count(2)):
            reader.signer()


def _memo(reader: Reader) -> str:
    kind = reader.i32()
    if kind == 0:
        return ""
    if kind == 1:
        return f"text:{reader.opaque().decode('utf-8', 'backslashreplace')}"
    if kind == 2:  # noqa: PLR2004 - id
        return f"id:{reader.u64()}"
    if kind in (3, 4):
        return f"{'hash' if kind == 3 else 'return'}:{reader.take(32).hex()}"  # noqa: PLR2004 - hash
    raise UnreadableXdrError(f"memo of kind {kind}")


Given = tuple[bytes, int | None, bytes, int | None]
"""To whom, with which number, of which asset, how much."""


def _create(reader: Reader) -> Given:
    account = reader.account()
    return account, None, NATIVE_XDR, reader.i64()


def _payment(reader: Reader) -> Given:
    destination, number = reader.muxed()
    return destination, number, reader.asset(), reader.i64()


def _by_path(reader: Reader) -> tuple[bytes, int | None, bytes, int]:
    reader.asset()
    reader.skip(8)
    destination, number = reader.muxed()
    asset, amount = reader.asset(), reader.i64()
    for _ in range(reader.count(5)):
        reader.asset()
    return destination, number, asset, amount


def _strict_send(reader: Reader) -> Given:
    return *_by_path(reader)[:3], None


def _merge(reader: Reader) -> Given:
    return *reader.muxed(), NATIVE_XDR, None


def _offer(*, has_id: bool) -> Callable[[Reader], None]:
    def skip(reader: Reader) -> None:
        reader.asset()
        reader.asset()
        reader.skip(8 + 8 + (8 if has_id else 0))  # amount, price, id

    return skip


def _options(reader: Reader) -> None:
    reader.optional(reader.account)
    for _ in range(6):  # flags to clear and to set, the master's weight, three thresholds
        reader.optional(reader.i32)
    reader.optional(reader.opaque)
    if reader.count(1):
        reader.signer()
        reader.skip(4)


def _trust(reader: Reader) -> None:
    if reader.data[reader.at : reader.at + 4] == (3).to_bytes(4):  # of a pool, by what it is made of
        reader.skip(4 + 4)
        reader.asset()
        reader.asset()
        reader.skip(4)
    else:
        reader.asset()
    reader.skip(8)


def _allow(reader: Reader) -> None:
    reader.account()
    reader.asset_code()
    reader.skip(4)


def _data(reader: Reader) -> None:
    reader.opaque()
    reader.optional(reader.opaque)


def _claimable(reader: Reader) -> tuple[bytes, int, list[bytes]]:
    asset, amount = reader.asset(), reader.i64()
    claimants: list[bytes] = []
    for _ in range(reader.count(10)):
        reader.skip(4)
        claimants.append(reader.account())
        reader.predicate()
    return asset, amount, claimants


def _revoke(reader: Reader) -> None:
    if reader.count(1):
        reader.account()
        reader.signer()
        return
    kind = reader.i32()
    match kind:
        case 0:
            reader.account()
        case 1:
            reader.account()
            reader.asset_or_pool()
        case 2:
            reader.account()
            reader.skip(8)
        case 3:
            reader.account()
            reader.opaque()
        case 4:
            reader.skip(4 + 32)
        case 5:
            reader.skip(32)
        case _:
            raise UnreadableXdrError(f"ledger entry of kind {kind}")


def _clawback(reader: Reader) -> None:
    reader.asset()
    reader.muxed()
    reader.skip(8)


def _flags(reader: Reader) -> None:
    reader.account()
    reader.asset()
    reader.skip(8)


def _bytes(count: int) -> Callable[[Reader], None]:
    return lambda reader: reader.skip(count)


_TRANSFERS: Final[dict[int, Callable[[Reader], Given]]] = {
    CREATE_ACCOUNT: _create,
    PAYMENT: _payment,
    STRICT_RECEIVE: _by_path,
    ACCOUNT_MERGE: _merge,
    STRICT_SEND: _strict_send,
}
_OTHERS: Final[dict[int, Callable[[Reader], object]]] = {
    3: _offer(has_id=True),  # manage_sell_offer
    4: _offer(has_id=False),  # create_passive_sell_offer
    5: _options,
    6: _trust,
    7: _allow,
    9: _bytes(0),  # inflation
    10: _data,
    11: _bytes(8),  # bump_sequence
    12: _offer(has_id=True),  # manage_buy_offer
    15: _bytes(36),  # claim_claimable_balance
    16: Reader.account,  # begin_sponsoring_future_reserves
    17: _bytes(0),  # end_sponsoring_future_reserves
    18: _revoke,
    19: _clawback,
    20: _bytes(36),  # clawback_claimable_balance
    21: _flags,
    22: _bytes(32 + 8 + 8 + 8 + 8),  # liquidity_pool_deposit
    23: _bytes(32 + 8 + 8 + 8),  # liquidity_pool_withdraw
}

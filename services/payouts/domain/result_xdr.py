"""What came of a transaction, read from its result: whether it worked, and the amounts that only the result tells."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.payouts.domain.envelope_xdr import ACCOUNT_MERGE, STRICT_RECEIVE, STRICT_SEND
from services.payouts.domain.xdr import Reader, UnreadableXdrError

_SUCCESS: Final = 0
_FEE_BUMP_SUCCESS: Final = 1
_OFFERS_MAX: Final = 1_000
_OPERATIONS_MAX: Final = 100
_CALL: Final = 24


class Result(NamedTuple):
    """What came of a transaction. `fee` is what it cost, in stroops; `received` has the amounts by place of the operation."""

    is_successful: bool
    fee: int
    received: Mapping[int, int]


def read_result(result: bytes) -> Result:
    """Read a result; of a fee bump that of the transaction inside, with the fee of the whole.

    Raises:
        UnreadableXdrError: it is none.
    """
    reader = Reader(result)
    fee, code = reader.i64(), reader.i32()
    if code == _FEE_BUMP_SUCCESS:
        reader.skip(32 + 8)
        code = reader.i32()
    if code != _SUCCESS:
        return Result(is_successful=False, fee=fee, received={})
    received: dict[int, int] = {}
    for place in range(reader.count(_OPERATIONS_MAX)):
        outer, kind, inner = reader.i32(), reader.i32(), reader.i32()
        if outer or inner:
            raise UnreadableXdrError("a transaction that worked with an operation that did not")
        amount = _PAYLOADS[kind](reader) if kind in _PAYLOADS else None
        if amount is not None:
            received[place] = amount
    return Result(is_successful=True, fee=fee, received=received)


def _trades(reader: Reader) -> None:
    """Pass by the offers that were taken."""
    for _ in range(reader.count(_OFFERS_MAX)):
        kind = reader.i32()
        if kind not in (0, 1, 2):
            raise UnreadableXdrError(f"trade of kind {kind}")
        reader.skip({0: 32 + 8, 1: 36 + 8, 2: 32}[kind])
        reader.asset()
        reader.skip(8)
        reader.asset()
        reader.skip(8)


def _path(reader: Reader) -> int:
    _trades(reader)
    reader.account()
    reader.asset()
    return reader.i64()


def _offer(reader: Reader) -> None:
    _trades(reader)
    if reader.count(2) in (0, 1):  # made or changed: the offer as it stands
        reader.account()
        reader.skip(8)
        reader.asset()
        reader.asset()
        reader.skip(8 + 8 + 4 + 4)


def _payouts(reader: Reader) -> None:
    for _ in range(reader.count(_OFFERS_MAX)):
        reader.account()
        reader.skip(8)


_PAYLOADS: Final[dict[int, Callable[[Reader], int | None]]] = {
    STRICT_RECEIVE: _path,
    3: _offer,
    4: _offer,
    ACCOUNT_MERGE: Reader.i64,
    9: _payouts,
    12: _offer,
    STRICT_SEND: _path,
    14: lambda reader: reader.skip(36),
    _CALL: lambda reader: reader.skip(32),
}
"""What stands behind the code of success, by kind of operation; behind most nothing does."""

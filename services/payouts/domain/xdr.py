"""Reads Stellar's binary form (XDR): big-endian, everything padded to four bytes.

Written out here, like the text form of keys in `strkey`: what watches the chain must be small, and must not trust anybody's JSON.
Accounts are 32 bytes of key; an asset is its own XDR, which is as good a name as its text and needs no spelling.
"""

from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - the module's own name says nothing
from struct import unpack_from
from typing import Final

from services.payouts.domain.strkey import KEY_BYTES, account_address

NATIVE_XDR: Final = bytes(4)
_MUXED: Final = 0x100
_POOL: Final = 3
_CODE_BYTES: Final = {1: 4, 2: 12}
_SIGNED_PAYLOAD: Final = 3
_PREDICATES_DEEP: Final = 8


class UnreadableXdrError(Exception):
    """It is not what it should be, or of a kind that this reader does not know."""


class Reader:
    """Reads from bytes, at a place that moves on."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        """Begin at a place."""
        self.data = data
        self.at = at

    def i32(self) -> int:
        """Read four bytes with a sign: also every tag, flag and length."""
        try:
            value: int = unpack_from(">i", self.data, self.at)[0]
        except StructError as error:
            raise UnreadableXdrError("it ends early") from error
        self.at += 4
        return value

    def i64(self) -> int:
        """Read eight bytes with a sign."""
        try:
            value: int = unpack_from(">q", self.data, self.at)[0]
        except StructError as error:
            raise UnreadableXdrError("it ends early") from error
        self.at += 8
        return value

    def u64(self) -> int:
        """Read eight bytes without a sign."""
        return self.i64() & 0xFFFF_FFFF_FFFF_FFFF

    def take(self, count: int) -> bytes:
        """Read so many bytes."""
        start = self.at
        self.at = start + count
        if count < 0 or self.at > len(self.data):
            raise UnreadableXdrError("it ends early")
        return self.data[start : self.at]

    def skip(self, count: int) -> None:
        """Pass so many bytes by."""
        self.take(count)

    def opaque(self) -> bytes:
        """Read bytes with their length in front, and the padding behind them."""
        count = self.i32()
        value = self.take(count)
        self.skip(-count % 4)
        return value

    def count(self, most: int) -> int:
        """Read how many there are of something."""
        value = self.i32()
        if not 0 <= value <= most:
            raise UnreadableXdrError(f"{value} of what there are at most {most} of")
        return value

    def optional(self, read: Callable[[], object]) -> None:
        """Pass by what may be there."""
        if self.count(1):
            read()

    def account(self) -> bytes:
        """Read an account."""
        if self.i32() != 0:
            raise UnreadableXdrError("no kind of key that an account has")
        return self.take(KEY_BYTES)

    def muxed(self) -> tuple[bytes, int | None]:
        """Read an account, and the number in its address if it has one."""
        kind = self.i32()
        if kind == 0:
            return self.take(KEY_BYTES), None
        if kind != _MUXED:
            raise UnreadableXdrError(f"account of kind {kind}")
        number = self.u64()
        return self.take(KEY_BYTES), number

    def asset(self) -> bytes:
        """Read an asset."""
        start, kind = self.at, self.i32()
        if kind:
            self.skip(self._code_bytes(kind))
            self.account()
        return self.data[start : self.at]

    def asset_or_pool(self) -> None:
        """Pass by what a trustline may be of."""
        if unpack_from(">i", self.data.ljust(self.at + 4, b"\0"), self.at)[0] == _POOL:
            self.skip(4 + KEY_BYTES)
        else:
            self.asset()

    def asset_code(self) -> None:
        """Pass by an asset's code alone."""
        self.skip(self._code_bytes(self.i32()))

    def signer(self) -> None:
        """Pass by a signer's key."""
        kind = self.i32()
        self.skip(KEY_BYTES)
        if kind == _SIGNED_PAYLOAD:
            self.opaque()

    def predicate(self, depth: int = 0) -> None:
        """Pass by the condition under which a claimable balance may be claimed."""
        if depth > _PREDICATES_DEEP:
            raise UnreadableXdrError("conditions within conditions")
        kind = self.i32()
        if kind in (1, 2):  # and, or
            for _ in range(self.count(2)):
                self.predicate(depth + 1)
        elif kind == 3:  # noqa: PLR2004 - not
            self.optional(lambda: self.predicate(depth + 1))
        elif kind in (4, 5):  # before a time, before so long
            self.skip(8)
        elif kind != 0:
            raise UnreadableXdrError(f"condition of kind {kind}")

    @staticmethod
    def _code_bytes(kind: int) -> int:
        if kind not in _CODE_BYTES:
            raise UnreadableXdrError(f"asset of kind {kind}")
        return _CODE_BYTES[kind]


def asset_text(asset: bytes) -> str:
    """Spell an asset: `native`, or `CODE:ISSUER`."""
    if asset == NATIVE_XDR:
        return "native"
    code, issuer = asset[4:-36].rstrip(b"\0"), asset[-KEY_BYTES:]
    return f"{code.decode('ascii', 'backslashreplace')}:{account_address(issuer)}"


def asset_xdr(code: str, issuer: bytes) -> bytes:
    """Write an asset that is not lumens."""
    kind = 1 if len(code) <= _CODE_BYTES[1] else 2
    return kind.to_bytes(4) + code.encode().ljust(_CODE_BYTES[kind], b"\0") + bytes(4) + issuer

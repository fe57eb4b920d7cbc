"""The chain's small values in Python's own types: addresses, assets, amounts, and the order of everything that happened.

An account is its G address, an asset is `native` or `CODE:ISSUER`, an amount is an integer of stroops.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from stellar_sdk import Asset, StrKey, xdr

NATIVE: Final = "native"
STROOPS: Final = 10_000_000
INT64_MAX: Final = 2**63 - 1
_ADDRESSES: Final = 65_536
_CODE: Final = re.compile(rb"([A-Za-z0-9]+)\x00*")
_SHORT_CODE: Final = 4

T = TypeVar("T")


def given(value: T | None) -> T:
    """Return the arm of an XDR union that its discriminant promises.

    Raises:
        ValueError: the arm is missing, so the union was made wrong.
    """
    if value is None:
        raise ValueError("an XDR union lacks the arm its type names")
    return value


class Party(NamedTuple):
    """An account as a transaction names it: plain, or muxed with an id of the holder's own."""

    account: str
    muxed: str | None = None
    muxed_id: int | None = None

    @property
    def address(self) -> str:
        """The address as it was written: M… when muxed, else G…."""
        return self.muxed or self.account


@lru_cache(maxsize=_ADDRESSES)
def address(key: bytes) -> str:
    """Print an ed25519 public key as a G address."""
    return StrKey.encode_ed25519_public_key(key)


@lru_cache(maxsize=_ADDRESSES)
def public_key(account: str) -> bytes:
    """Read the ed25519 public key out of a G address."""
    return StrKey.decode_ed25519_public_key(account)


def account_of(account_id: xdr.AccountID) -> str:
    """Print an account id."""
    return address(given(account_id.account_id.ed25519).uint256)


def account_id(account: str) -> xdr.AccountID:
    """Write an account id."""
    kind = xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519
    return xdr.AccountID(xdr.PublicKey(kind, xdr.Uint256(public_key(account))))


def party_of(account: xdr.MuxedAccount) -> Party:
    """Print an account that may be muxed."""
    if account.type == xdr.CryptoKeyType.KEY_TYPE_ED25519:
        return Party(address(given(account.ed25519).uint256))
    arm = given(account.med25519)
    payload = arm.ed25519.uint256 + arm.id.uint64.to_bytes(8, "big")
    return Party(address(arm.ed25519.uint256), StrKey.encode_med25519_public_key(payload), arm.id.uint64)


def asset_of(asset: xdr.Asset | xdr.ChangeTrustAsset | xdr.TrustLineAsset) -> str | None:
    """Print an asset; None when its code is not one the chain allows, or when it is a pool share."""
    if asset.type == xdr.AssetType.ASSET_TYPE_NATIVE:
        return NATIVE
    if asset.type == xdr.AssetType.ASSET_TYPE_CREDIT_ALPHANUM4:
        short = given(asset.alpha_num4)
        return _credit(short.asset_code.asset_code4, short.issuer, shortest=1)
    if asset.type == xdr.AssetType.ASSET_TYPE_CREDIT_ALPHANUM12:
        long = given(asset.alpha_num12)
        return _credit(long.asset_code.asset_code12, long.issuer, shortest=_SHORT_CODE + 1)
    return None


def _credit(code: bytes, issuer: xdr.AccountID, *, shortest: int) -> str | None:
    match = _CODE.fullmatch(code)
    if match is None or len(match[1]) < shortest:
        return None
    return f"{match[1].decode()}:{account_of(issuer)}"


def code_of(asset: xdr.AssetCode) -> str | None:
    """Print an asset's code alone, as an issuer's own operations carry it; None when it is not allowed."""
    short = asset.type == xdr.AssetType.ASSET_TYPE_CREDIT_ALPHANUM4
    code = given(asset.asset_code4).asset_code4 if short else given(asset.asset_code12).asset_code12
    match = _CODE.fullmatch(code)
    return None if match is None or (not short and len(match[1]) <= _SHORT_CODE) else match[1].decode()


def issuer_of(asset: str) -> str:
    """Return the issuer's address; empty for lumens."""
    return asset.partition(":")[2]


def asset_type(asset: str) -> str:
    """Say which of Horizon's three kinds an asset is."""
    if asset == NATIVE:
        return NATIVE
    return "credit_alphanum4" if len(asset.partition(":")[0]) <= _SHORT_CODE else "credit_alphanum12"


def amount(stroops: int) -> str:
    """Print an amount as Horizon does, always with seven decimals."""
    sign = "-" if stroops < 0 else ""
    return f"{sign}{abs(stroops) // STROOPS}.{abs(stroops) % STROOPS:07d}"


def total_order(ledger: int, transaction: int = 0, operation: int = 0) -> int:
    """Number a ledger, a transaction or an operation so that sorting by it is the order of application (SEP-35)."""
    return ledger << 32 | transaction << 12 | operation


def ledger_of(order: int) -> int:
    """Return the ledger of something numbered by `total_order`."""
    return order >> 32


def asset_xdr(asset: str) -> xdr.Asset:
    """Write an asset."""
    if asset == NATIVE:
        return Asset.native().to_xdr_object()
    code, _, issuer = asset.partition(":")
    return Asset(code, issuer).to_xdr_object()

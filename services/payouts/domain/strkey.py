"""Stellar's text form of keys (SEP-23): version byte, 32 bytes of key, CRC16-XMODEM, in base 32.

Written out here because loading stellar-sdk for these lines costs each process 57 MB.
"""

import base64
import binascii
from typing import Final

_ACCOUNT_VERSION: Final = 6 << 3  # spells a leading G
_MUXED_VERSION: Final = 12 << 3  # spells a leading M
_CONTRACT_VERSION: Final = 2 << 3  # spells a leading C
_SEED_VERSION: Final = 18 << 3  # spells a leading S
KEY_BYTES: Final = 32
_NUMBER_BYTES: Final = 8
_ADDRESS_LENGTHS: Final = {"G": 56, "M": 69}


def account_address(public_key: bytes) -> str:
    """Spell an Ed25519 public key as an account, `G…`."""
    return _spell(_ACCOUNT_VERSION, public_key)


def muxed_address(public_key: bytes, number: int) -> str:
    """Spell an account with a number below 2⁶⁴ in it, `M…`."""
    return _spell(_MUXED_VERSION, public_key + number.to_bytes(_NUMBER_BYTES))


def secret_seed(seed: bytes) -> str:
    """Spell an Ed25519 seed as a secret, `S…`."""
    return _spell(_SEED_VERSION, seed)


def is_account(text: str) -> bool:
    """Tell whether this is an account's address, checksum and all."""
    return _is(_ACCOUNT_VERSION, text)


def is_secret(text: str) -> bool:
    """Tell whether this is a secret seed, checksum and all."""
    return _is(_SEED_VERSION, text)


def is_contract(text: str) -> bool:
    """Tell whether this is a contract's address, checksum and all."""
    return _is(_CONTRACT_VERSION, text)


def seed_of(secret: str) -> bytes:
    """Read the 32 bytes of a secret seed that `is_secret` knows."""
    return base64.b32decode(secret)[1 : 1 + KEY_BYTES]


def read_account(text: str) -> bytes | None:
    """Return the public key in `G…` or `M…` (SEP-23: a `G` with a number in it), or None when it is no address."""
    length = _ADDRESS_LENGTHS.get(text[:1])
    if length != len(text) or not text.isascii():
        return None
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        return None
    payload, checksum = raw[:-2], raw[-2:]
    is_ours = payload[0] in (_ACCOUNT_VERSION, _MUXED_VERSION) and _crc16(payload).to_bytes(2, "little") == checksum
    is_canonical = base64.b32encode(raw).decode().rstrip("=") == text
    return payload[1 : 1 + KEY_BYTES] if is_ours and is_canonical else None


def _is(version: int, text: str) -> bool:
    try:
        key = base64.b32decode(text)[1 : 1 + KEY_BYTES]
    except ValueError:
        return False
    return text == _spell(version, key)


def _spell(version: int, key: bytes) -> str:
    payload = bytes([version]) + key
    return base64.b32encode(payload + _crc16(payload).to_bytes(2, "little")).decode().rstrip("=")


def _crc16(data: bytes) -> int:
    return binascii.crc_hqx(data, 0)

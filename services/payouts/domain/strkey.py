"""Stellar's text form of keys (SEP-23): version byte, 32 bytes of key, CRC16-XMODEM, in base 32.

Written out here because loading stellar-sdk for these lines costs each process 57 MB.
"""

import base64
import binascii
from typing import Final

_ACCOUNT_VERSION: Final = 6 << 3  # spells a leading G
_MUXED_VERSION: Final = 12 << 3  # spells a leading M
_SEED_VERSION: Final = 18 << 3  # spells a leading S
_POLYNOMIAL: Final = 0x1021
KEY_BYTES: Final = 32
_ADDRESS_LENGTHS: Final = {"G": 56, "M": 69}


def account_address(public_key: bytes) -> str:
    """Spell an Ed25519 public key as an account, `G…`."""
    return _spell(_ACCOUNT_VERSION, public_key)


def secret_seed(seed: bytes) -> str:
    """Spell an Ed25519 seed as a secret, `S…`."""
    return _spell(_SEED_VERSION, seed)


def is_account(text: str) -> bool:
    """Tell whether this is an account's address, checksum and all."""
    return _is(_ACCOUNT_VERSION, text)


def is_secret(text: str) -> bool:
    """Tell whether this is a secret seed, checksum and all."""
    return _is(_SEED_VERSION, text)


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
    return base64.b32encode(payload + _crc16(payload).to_bytes(2, "little")).decode()


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ _POLYNOMIAL) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc

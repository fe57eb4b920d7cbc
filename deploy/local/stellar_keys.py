"""Keys of the accounts that local mode makes up on its own Stellar network, in Stellar's text form (SEP-23)."""

import base64
import binascii
import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ACCOUNT_VERSION: Final = 6 << 3  # spells a leading G
_SEED_VERSION: Final = 18 << 3  # spells a leading S
_SEED_BYTES: Final = 32


def new_secret() -> str:
    """Make up a secret, `S…`."""
    return _spell(_SEED_VERSION, secrets.token_bytes(_SEED_BYTES))


def address_of(secret: str) -> str:
    """Derive the account, `G…`, of a secret."""
    seed = base64.b32decode(secret)[1 : 1 + _SEED_BYTES]
    return _spell(_ACCOUNT_VERSION, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def _spell(version: int, key: bytes) -> str:
    payload = bytes([version]) + key
    return base64.b32encode(payload + binascii.crc_hqx(payload, 0).to_bytes(2, "little")).decode()

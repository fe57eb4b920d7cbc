"""A wallet's seed at rest: AES-256-GCM under a key of its own, and that key wrapped by a key-encryption key."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.kernel.errors import InvariantViolationError
from libs.common.persistence.sealing import NONCE_BYTES, Entropy
from services.payouts.domain.strkey import KEY_BYTES

SEALING_VERSION: Final = 1
"""Of this layout. It is part of what a seed is bound to; a key-encryption key can change without it."""


def context_of(*, tenant: str, wallet_id: str, public_key: str, network: str, version: int) -> bytes:
    """Name what a seed and its key belong to: copied to another wallet, network or layout, neither opens."""
    return "\x1f".join((tenant, wallet_id, public_key, network, str(version))).encode()


def seal(seed: bytes, context: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    """Encrypt a seed under a new key; return that key and the sealed seed: nonce, then ciphertext with its tag."""
    key, nonce = entropy(KEY_BYTES), entropy(NONCE_BYTES)
    return key, nonce + AESGCM(key).encrypt(nonce, seed, context)


def unseal(sealed: bytes, key: bytes, context: bytes) -> bytes:
    """Decrypt a seed.

    Raises:
        InvariantViolationError: it was changed, or belongs to another wallet.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except InvalidTag:
        raise InvariantViolationError("a sealed seed does not belong to its wallet") from None

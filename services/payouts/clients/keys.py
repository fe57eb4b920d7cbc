"""Key pairs of deposit wallets."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.common.persistence.sealing import Entropy
from services.payouts.domain.strkey import KEY_BYTES, account_address, secret_seed


@dataclass(frozen=True, slots=True)
class Keypair:
    """A Stellar account's key: `G…` for everyone, `S…` for nobody."""

    public_key: str
    secret: str = field(repr=False)


MintKeypair = Callable[[], Keypair]


def keypair_from(seed: bytes) -> Keypair:
    """Derive the key pair of 32 bytes of seed (RFC 8032)."""
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return Keypair(account_address(public_key), secret_seed(seed))


def has_signed(public_key: bytes, digest: bytes, signatures: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether one of these signatures, hints first, is the account's own."""
    verifier = Ed25519PublicKey.from_public_bytes(public_key)
    for hint, signature in signatures:
        if hint == public_key[-len(hint) :]:
            with contextlib.suppress(InvalidSignature):
                verifier.verify(signature, digest)
                return True
    return False


def minting(entropy: Entropy) -> MintKeypair:
    """Make key pairs from this randomness."""
    return lambda: keypair_from(entropy(KEY_BYTES))

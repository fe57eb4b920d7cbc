"""Secrets on their way over the bus: anybody seals them for a service, and that service alone opens them.

X25519 with a key pair for each letter, HKDF-SHA256 over both public keys, AES-256-GCM: what ECIES does. A letter is text:
`keyid.base64(public key of the letter, ciphertext with its tag)`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.common.kernel.errors import InvariantViolationError
from libs.common.persistence.sealing import associated, read_keys

_KEY_BYTES: Final = 32
_NONCE: Final = bytes(12)
"""Every letter has a key of its own, so the nonce may be the same."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Opens letters; its private keys follow from the keys of a ring, so that there is nothing more to keep."""

    keys: Mapping[str, X25519PrivateKey] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the keys of a ring.

        Raises:
            ValueError: a key is malformed or named twice; the message never shows one.
        """
        return cls(
            {name: X25519PrivateKey.from_private_bytes(_derive(key, b"letterbox")) for name, key in read_keys(text).items()}
        )

    @property
    def address(self) -> str:
        """What letters are sealed with: `keyid.base64(public key)`. It is no secret."""
        name, key = next(iter(self.keys.items()))
        return f"{name}.{_text(key.public_key().public_bytes_raw())}"

    def open(self, letter: str, *owner: str) -> str:
        """Open what `seal_for` made for this owner.

        Raises:
            InvariantViolationError: it was changed, is for somebody else, or its key is not on the ring.
        """
        name, _, text = letter.partition(".")
        key = self.keys.get(name)
        if key is None:
            raise InvariantViolationError(f"no key {name} on the ring")
        try:
            sealed = base64.b64decode(text, validate=True)
            theirs = X25519PublicKey.from_public_bytes(sealed[:_KEY_BYTES])
            shared = key.exchange(theirs)
            cipher = _cipher(shared, sealed[:_KEY_BYTES], key.public_key().public_bytes_raw())
            return cipher.decrypt(_NONCE, sealed[_KEY_BYTES:], associated(owner)).decode()
        except (ValueError, InvalidTag):
            raise InvariantViolationError(f"a letter under key {name} is not for {'/'.join(owner)}") from None


def seal_for(address: str, secret: str, *owner: str) -> str:
    """Seal a secret for whoever gave this address; only the same `owner` opens it.

    Raises:
        ValueError: that is no address.
    """
    name, _, text = address.partition(".")
    public = base64.b64decode(text, validate=True)
    own = X25519PrivateKey.generate()
    shown = own.public_key().public_bytes_raw()
    cipher = _cipher(own.exchange(X25519PublicKey.from_public_bytes(public)), shown, public)
    return f"{name}.{_text(shown + cipher.encrypt(_NONCE, secret.encode(), associated(owner)))}"


def _cipher(shared: bytes, letters: bytes, box: bytes) -> AESGCM:
    return AESGCM(_derive(shared, b"letter" + letters + box))


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"offerhub " + purpose).derive(key)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

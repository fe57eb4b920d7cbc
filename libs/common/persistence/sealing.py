"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a ring of named keys, each secret bound to the row it belongs to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.kernel.errors import InvariantViolationError

NONCE_BYTES: Final = 12
_KEY: Final = re.compile(r"([A-Za-z0-9_-]{1,32}):([0-9a-fA-F]{64})", re.ASCII)

Entropy = Callable[[int], bytes]
"""Gives that many random bytes fit for keys, like `os.urandom`."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Seals with its first key and opens with whichever key a secret was sealed with, so that keys can be rotated.

    A sealed secret is: length of the key id (1 byte), key id, nonce (12 bytes), ciphertext with its tag.
    """

    ciphers: Mapping[str, AESGCM] = field(repr=False)
    entropy: Entropy = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, entropy: Entropy) -> Self:
        """Read `keyid:hex64[,keyid:hex64]`.

        Raises:
            ValueError: a key is malformed or named twice; the message never shows one.
        """
        return cls({key_id: AESGCM(key) for key_id, key in read_keys(text).items()}, entropy)

    def seal(self, plain: bytes, *owner: str) -> bytes:
        """Encrypt; `owner` names the row it belongs to, and only the same names open it."""
        key_id, cipher = next(iter(self.ciphers.items()))
        nonce = self.entropy(NONCE_BYTES)
        return bytes([len(key_id)]) + key_id.encode() + nonce + cipher.encrypt(nonce, plain, associated(owner))

    def open(self, sealed: bytes, *owner: str) -> bytes:
        """Decrypt what `seal` made for this owner.

        Raises:
            InvariantViolationError: it was changed, belongs to another row, or its key is not on the ring.
        """
        start = 1 + sealed[0]
        key_id = sealed[1:start].decode("ascii", "replace")
        cipher = self.ciphers.get(key_id)
        if cipher is None:
            raise InvariantViolationError(f"no key {key_id} on the ring")
        nonce, ciphertext = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, associated(owner))
        except InvalidTag:
            raise InvariantViolationError(f"a secret under key {key_id} does not belong to {'/'.join(owner)}") from None


def read_keys(text: str) -> dict[str, bytes]:
    """Read `keyid:hex64[,keyid:hex64]`, in this order.

    Raises:
        ValueError: a key is malformed or named twice; the message never shows one.
    """
    keys: dict[str, bytes] = {}
    for place, part in enumerate(text.split(","), 1):
        match = _KEY.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"key {place} is not written as keyid:64 hex digits")
        key_id, key = match.groups()
        if key_id in keys:
            raise ValueError(f"key id {key_id} is named twice")
        keys[key_id] = bytes.fromhex(key)
    return keys


def associated(owner: tuple[str, ...]) -> bytes:
    """Write down the row or the like that a secret belongs to, as what is authenticated with it."""
    return "\x1f".join(owner).encode()

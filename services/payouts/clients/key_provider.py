"""Key-encryption keys: what wraps the key of each wallet. The port, and the keys that the environment names.

A provider of a key service (Vault transit, a cloud's KMS) has the same three members: it sends the plain key with its context as
additional data, keeps no key of ours, and names the newest version of its key as `current`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.kernel.errors import InvariantViolationError
from libs.common.persistence.sealing import NONCE_BYTES, Entropy, KeyRing

_KEY: Final = re.compile(r"([A-Za-z0-9_-]{1,32})(?:\.([1-9][0-9]{0,8}))?:([0-9a-fA-F]{64})", re.ASCII)


class KeyRef(NamedTuple):
    """Which key wraps: its id, and its version from 1 on."""

    id: str
    version: int


class Wrapped(NamedTuple):
    """A wallet's key under a key-encryption key, bound to what it is for."""

    ref: KeyRef
    key: bytes
    context: bytes


class KeyProvider(Protocol):
    """Wraps and unwraps the keys of wallets; takes many at once, since a key service is far away."""

    @property
    def current(self) -> KeyRef:
        """The key that wraps from now on."""
        ...

    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Wrap plain keys, each with its context, under the current key."""
        ...

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap keys, whichever version wrapped each.

        Raises:
            InvariantViolationError: one was changed, is bound to something else, or its wrapping key is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """Keys from `name[.version]:hex64[,…]`; the first wraps, all unwrap."""

    ciphers: Mapping[KeyRef, AESGCM] = field(repr=False)
    entropy: Entropy = field(repr=False)
    legacy: KeyRing = field(repr=False)
    """The same keys as a ring: it opens what was sealed before wallets had keys of their own."""

    @classmethod
    def parse(cls, text: str, *, entropy: Entropy) -> Self:
        """Read the keys.

        Raises:
            ValueError: a key is malformed or named twice; the message never shows one.
        """
        ciphers: dict[KeyRef, AESGCM] = {}
        ring: dict[str, AESGCM] = {}
        for place, part in enumerate(text.split(","), 1):
            match = _KEY.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"key {place} is not written as name:64 hex digits or name.version:64 hex digits")
            name, version, key = match.groups()
            ref = KeyRef(name, int(version or 1))
            if ref in ciphers:
                raise ValueError(f"key {name}.{ref.version} is named twice")
            ciphers[ref] = AESGCM(bytes.fromhex(key))
            if ref.version == 1 or name not in ring:  # keys had no versions then
                ring[name] = ciphers[ref]
        return cls(ciphers, entropy, KeyRing(ring, entropy))

    @property
    def current(self) -> KeyRef:
        """The first key."""
        return next(iter(self.ciphers))

    async def wrap(self, keys: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Wrap under the first key: nonce, then ciphertext with its tag."""
        ref = self.current
        cipher = self.ciphers[ref]
        nonces = [self.entropy(NONCE_BYTES) for _ in keys]
        return [
            nonce + cipher.encrypt(nonce, key, _bound(ref, context)) for nonce, (key, context) in zip(nonces, keys, strict=True)
        ]

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> list[bytes]:
        """Unwrap with whichever key wrapped each."""
        return [self._unwrap(item) for item in wrapped]

    def _unwrap(self, item: Wrapped) -> bytes:
        cipher = self.ciphers.get(item.ref)
        if cipher is None:
            raise InvariantViolationError(f"there is no key {item.ref.id}.{item.ref.version}")
        try:
            return cipher.decrypt(item.key[:NONCE_BYTES], item.key[NONCE_BYTES:], _bound(item.ref, item.context))
        except InvalidTag:
            raise InvariantViolationError(f"a key under {item.ref.id}.{item.ref.version} is not what was wrapped") from None


def _bound(ref: KeyRef, context: bytes) -> bytes:
    return f"{ref.id}\x1f{ref.version}\x1f".encode() + context

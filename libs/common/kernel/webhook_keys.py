"""The key of a webhook secret, as Standard Webhooks (standardwebhooks.com) spells it: `whsec_` + base64."""

import base64
from typing import Final

MARK: Final = "whsec_"
"""Begins a secret that is base64 of the key; any other secret is text whose UTF-8 bytes are the key."""


def spelled_key(key: bytes) -> str:
    """Spell a key as the published verifiers read it."""
    return MARK + base64.b64encode(key).decode()


def standard_key(secret: str) -> bytes:
    """Return the key of the Standard Webhooks signature.

    Raises:
        ValueError: the secret is marked as base64 and is none.
    """
    if secret.startswith(MARK):
        return base64.b64decode(secret.removeprefix(MARK), validate=True)
    return secret.encode()


def signing_key(secret: str) -> str:
    """Spell a secret the way the published verifiers read it.

    Raises:
        ValueError: the secret is marked as base64 and is none.
    """
    return spelled_key(standard_key(secret))

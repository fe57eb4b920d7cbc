"""One-time passwords by the clock (RFC 6238: SHA-1, six digits, thirty seconds), of a key that derives from a wallet's seed."""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import quote, urlencode

DIGITS: Final = 6
STEP_SECONDS: Final = 30
WINDOW: Final = 1
"""Steps before and after the present one that are taken too: clocks differ, and people type."""
_KEY_BYTES: Final = 20
_ISSUER: Final = "OFFER-HUB"


def derive_key(seed: bytes, factor_id: str) -> bytes:
    """Derive the key of a factor: another id gives another key, and none tells anything of the seed."""
    return hmac.new(seed, f"offerhub second factor {factor_id}".encode(), hashlib.sha256).digest()[:_KEY_BYTES]


def shown_key(key: bytes) -> str:
    """Spell a key as authenticator apps read it."""
    return base64.b32encode(key).decode()


def key_uri(key: str, account: str) -> str:
    """Write what an authenticator app reads from a QR code."""
    label = quote(f"{_ISSUER}:{account}")
    return f"otpauth://totp/{label}?{urlencode({'secret': key, 'issuer': _ISSUER, 'digits': DIGITS, 'period': STEP_SECONDS})}"


def code_at(key: bytes, step: int) -> str:
    """Return the code of a step: the number of thirty seconds since 1970."""
    digest = hmac.new(key, step.to_bytes(8), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(key: bytes, code: str, unix_seconds: int) -> int:
    """Return the step that a code is of, or 0 when it is of none near this instant."""
    present = unix_seconds // STEP_SECONDS
    steps = range(present - WINDOW, present + WINDOW + 1)
    found = [step for step in steps if hmac.compare_digest(code_at(key, step).encode(), code.encode())]
    return max(found, default=0)

"""The form of an API key: `ohk_live_` or `ohk_test_`, 256 bits in base 62, and a checksum that catches typing errors."""

import hashlib
import hmac
import re
import zlib
from typing import Final

from services.gateway.domain.access import Mode

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH: Final = 43  # 62^43 > 2^256
_CHECK_LENGTH: Final = 6  # 62^6 > 2^32
_SHAPE: Final = re.compile(rf"ohk_(?:live|test)_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECK_LENGTH}}}", re.ASCII)
_ANYWHERE: Final = re.compile(r"(ohk_[a-z]{1,16}_[0-9A-Za-z]{4})[0-9A-Za-z]{16,}", re.ASCII)
"""Keys of ours wherever they stand, cut short or not; master keys as custom writes them too."""
_HINT_LENGTH: Final = len("ohk_live_") + 4


def mint(pepper: bytes, command_id: str, mode: Mode) -> str:
    """Spell the key that this command makes: always the same one, so a repeated request needs no stored secret.

    The secret is HMAC-SHA256(pepper, command id): unguessable to whoever lacks the pepper, the database included.
    """
    secret = hmac.digest(pepper, f"api-key:{command_id}".encode(), hashlib.sha256)
    text = f"ohk_{mode}_{_spell(int.from_bytes(secret, 'big'), _SECRET_LENGTH)}"
    return text + _checksum(text)


def is_well_formed(text: str) -> bool:
    """Tell whether a text could be a key of ours; most typing errors and guesses end here, before the database."""
    return _SHAPE.fullmatch(text) is not None and _checksum(text[:-_CHECK_LENGTH]) == text[-_CHECK_LENGTH:]


def digest(pepper: bytes, text: str) -> bytes:
    """Hash a key as it is stored: HMAC-SHA256 under a pepper that is not in the database."""
    return hmac.digest(pepper, text.encode("utf-8", "surrogateescape"), hashlib.sha256)


def hint(text: str) -> str:
    """Show enough of a key to recognise it."""
    return f"{text[:_HINT_LENGTH]}…"


def mask(text: str) -> str:
    """Show of each key that stands in a text what its hint shows: callers paste them where they don't belong."""
    return _ANYWHERE.sub(r"\1…", text) if "ohk_" in text else text


def _checksum(text: str) -> str:
    return _spell(zlib.crc32(text.encode()), _CHECK_LENGTH)


def _spell(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, place = divmod(number, 62)
        digits.append(_ALPHABET[place])
    return "".join(reversed(digits))

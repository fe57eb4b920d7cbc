"""Typed, prefixed ids that sort by the time they were made."""

import hashlib
import os
import re
import time
from datetime import datetime
from typing import Final, NewType

Tenant = NewType("Tenant", str)
"""One (marketplace, mode), for example `default:live`; opaque to everyone but the gateway."""

UserId = NewType("UserId", str)
OrderId = NewType("OrderId", str)
DisputeId = NewType("DisputeId", str)
JournalId = NewType("JournalId", str)

PREFIXES: Final = frozenset(
    {
        "usr",
        "ord",
        "esc",
        "wth",
        "key",
        "evt",
        "dsp",
        "top",
        "wh",
        "mls",
        "cmt",
        "whd",
        "jrn",
        "cmd",
        "req",
        "bat",
        "wal",
        "rpl",
        "dep",
    }
)
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: sorts like the number it spells
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_LENGTH: Final = 26
_SHIFTS: Final = tuple(range(10 * (_LENGTH // 2 - 1), -1, -10))
_SHAPE: Final = re.compile(r"[a-z]{2,4}_[0-9A-Za-z]{1,64}", re.ASCII)


def _spell(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def new_id(prefix: str) -> str:
    """Mint an id: the prefix, 48 bits of milliseconds, 80 random bits (the layout of a ULID)."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{prefix}_{_spell(milliseconds << 80 | int.from_bytes(os.urandom(10), 'big'))}"


def first_id_at(prefix: str, instant: datetime) -> str:
    """Return the id before which every id minted earlier than `instant` (to the millisecond) sorts."""
    return f"{prefix}_{_spell(int(instant.timestamp() * 1000) << 80)}"


def derive_id(prefix: str, *parts: str | int) -> str:
    """Mint the id that these parts always give: a retried step finds what its first try made."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return f"{prefix}_{_spell(int.from_bytes(digest[:16], 'big'))}"


def sibling_id(prefix: str, other_id: str) -> str:
    """Name a part of which its owner has at most one: the escrow of an order has the order's id under its own prefix."""
    return f"{prefix}_{other_id.partition('_')[2]}"


def looks_like_id(text: str) -> bool:
    """Tell whether a text could be an id at all; anything else need not be looked up."""
    return _SHAPE.fullmatch(text) is not None

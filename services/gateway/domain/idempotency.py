"""What makes two requests the same one, how long that is remembered, and what becomes of a claimed key."""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final

import msgspec

from services.gateway.domain.answers import Answer

DAY: Final = timedelta(hours=24)
WEEK: Final = timedelta(days=7)
FOREVER: Final[timedelta | None] = None

WAIT_SECONDS: Final = 2.0
"""How long a repeat waits for the first request before it is told to come back."""
LEASE: Final = timedelta(seconds=15)
"""A key still in progress after this belongs to a process that died: longer than any command's deadline."""

_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)

RowKey = tuple[str, str, str]
"""(tenant, API key id, Idempotency-Key)"""


class Fate(Enum):
    """What becomes of a key's row when its request ends."""

    KEEP = "keep"
    """The answer is final: repeats get it."""
    FREE = "free"
    """Nothing happened: the key may be used again."""
    HOLD = "hold"
    """The outcome is unknown, or must not be stored: a repeat runs again under the same command id."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key is ours to run; `fresh` is false when an earlier run under this command id may have done something."""

    command_id: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has the key: `answer` is None while they are at it."""

    fingerprint: bytes
    answer: Answer | None


def is_key(text: str) -> bool:
    """Tell whether a text may be an Idempotency-Key: 1 … 255 visible ASCII characters."""
    return _KEY.fullmatch(text) is not None


def fingerprint(method: str, path: str, document: dict[str, Any]) -> bytes:
    """Hash what a request asks for; the order of the fields and the spacing of its JSON don't count."""
    canonical = msgspec.json.encode(document, order="sorted")
    return hashlib.sha256(b"\0".join((method.encode(), path.encode("utf-8", "surrogateescape"), canonical))).digest()


def fate(answer: Answer, *, storable: bool, fresh: bool) -> Fate:
    """Decide what becomes of the key: final answers are kept, retryable ones are not.

    A refusal that arrived frees the key, so that a retry is a new attempt. When nothing was published, only a fresh claim is
    freed: before that, an earlier run may have done something under the command id.
    """
    if answer.is_unknown or (answer.is_unpublished and not fresh):
        return Fate.HOLD
    if answer.retryable:
        return Fate.FREE
    return Fate.KEEP if storable else Fate.HOLD

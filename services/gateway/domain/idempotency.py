"""What makes two requests the same one, how long that is remembered, and what becomes of a claimed key."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import msgspec

from services.gateway.domain.answers import Answer
from services.gateway.domain.api_keys import mask

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
    """Nothing happened, or only a refusal that may not last: the key may be used again."""
    UNDO = "undo"
    """Turned away before anything began: there is nothing to record."""
    HOLD = "hold"
    """The outcome is unknown: a repeat, or the sweeper, runs again under the same command id."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The key is ours to run; `fresh` is false when an earlier run under this command id may have done something."""

    id: str
    """The record's id; the command id derives from it."""
    fresh: bool
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody has the key: without an answer they are at it, or may not say it again."""

    fingerprint: bytes
    answer: Answer | None = None
    again: str | None = None
    """The record of a request that was done but whose answer holds a secret: doing it again under its id gives the same."""


def is_key(text: str) -> bool:
    """Tell whether a text may be an Idempotency-Key: 1 … 255 visible ASCII characters, and no API key, since it is stored."""
    return _KEY.fullmatch(text) is not None and mask(text) == text


def canonical(document: dict[str, Any]) -> bytes:
    """Write a body so that the order of its fields and its spacing don't show."""
    return msgspec.json.encode(document, order="sorted")


def fingerprint(pepper: bytes, method: str, target: str, body: bytes) -> bytes:
    """Hash what a request asks for: HMAC-SHA256 under the pepper, so that the database alone confirms no guess of a body.

    `target` is the path with its ids and the query, `body` is canonical.
    """
    text = b"\0".join((method.encode(), target.encode("utf-8", "surrogateescape"), body))
    return hmac.digest(pepper, text, hashlib.sha256)


def fate(answer: Answer, *, fresh: bool) -> Fate:
    """Decide what becomes of the key: final answers are kept, retryable ones are not.

    A refusal that arrived frees the key, so that a retry is a new attempt. When nothing was published, only a fresh claim is
    freed or undone: before that, an earlier run may have done something under the command id.
    """
    if answer.is_unknown or (answer.is_unpublished and not fresh):
        return Fate.HOLD
    if answer.code == "RATE_LIMITED":
        return Fate.UNDO
    return Fate.FREE if answer.retryable else Fate.KEEP

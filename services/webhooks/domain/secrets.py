"""Secrets of one endpoint over time. What each of them does follows from the clock alone, so nothing has to happen for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

LIVE_MAX: Final = 5
"""So many signatures a delivery carries at most."""


class Dated(Protocol):
    """A secret's place in the row and its times."""

    @property
    def number(self) -> int:
        """1, 2, 3 … of its endpoint."""
        ...

    @property
    def primary_at(self) -> datetime:
        """From then on it signs first, until one with a higher number does."""
        ...

    @property
    def retires_at(self) -> datetime | None:
        """From then on it signs no more."""
        ...


Secret = TypeVar("Secret", bound=Dated)


@dataclass(frozen=True, slots=True)
class Turn:
    """When a new secret becomes the first, and when those before it end."""

    signs_from: datetime
    previous_until: datetime


def live(secrets: Iterable[Secret], now: datetime) -> list[Secret]:
    """Return the secrets that sign now: the first of them first, then those that retire, then those that are staged."""
    signing = [secret for secret in secrets if secret.retires_at is None or secret.retires_at > now]
    return sorted(signing, key=lambda secret: (secret.primary_at > now, -secret.number))


def rotation_problem(secrets: Iterable[Dated], now: datetime) -> str | None:
    """Say why there can't be another secret now, or None when there can."""
    signing = live(secrets, now)
    if any(secret.primary_at > now for secret in signing):
        return "A new secret is staged already: wait until it is the first"
    if len(signing) >= LIVE_MAX:
        return f"{LIVE_MAX} secrets sign already: wait until one of them has retired"
    return None


def turn(now: datetime, *, stage_seconds: int, overlap_seconds: int) -> Turn:
    """Lay down the times of a rotation that begins now."""
    signs_from = now + timedelta(seconds=stage_seconds)
    return Turn(signs_from, signs_from + timedelta(seconds=overlap_seconds))

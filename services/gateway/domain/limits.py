"""How many requests a caller may make, and where it stands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """So many requests in a window that begins with the first of them."""

    name: str
    amount: int
    seconds: float = 60
    message: str = "Too many requests"
    field: str = ""
    """The field of the body that names the user whose requests are counted. Empty: the caller's are."""


GENERAL: Final = Rule("general", 100)
"""What every caller may do in a minute, over all operations."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A request, as one rule sees it."""

    rule: Rule
    whose: str
    """The caller or the user, in a spelling that no other can have."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Where somebody stands in a window."""

    rule: Rule
    count: int
    """The window's requests so far."""
    seconds_left: float
    ends_at: float
    """Unix time at which the window ends."""

    @property
    def is_exceeded(self) -> bool:
        """Tell whether the last request was one too many."""
        return self.count > self.rule.amount

    @property
    def remaining(self) -> int:
        """Count the requests that are left."""
        return max(0, self.rule.amount - self.count)

    @property
    def reset(self) -> int:
        """Return the first Unix second after the window."""
        return math.ceil(self.ends_at)

    @property
    def retry_after(self) -> int:
        """Count the whole seconds after which the window has ended: at least 1."""
        return max(1, math.ceil(self.seconds_left))


def tightest(quotas: Sequence[Quota]) -> Quota:
    """Choose the one a caller must mind: the one that refuses, else the one with the fewest requests left."""
    return min(quotas, key=lambda quota: (not quota.is_exceeded, quota.remaining, -quota.seconds_left))

"""How often an address may ask: the leaky bucket that Horizon uses, and the headers it tells it with."""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

BURST: Final = 100
_ADDRESSES_MAX: Final = 10_000
_HOUR: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is let through, with what is left; times are in whole seconds."""

    is_allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        told = {"X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": self.remaining, "X-RateLimit-Reset": self.reset}
        if not self.is_allowed:
            told["Retry-After"] = self.retry_after
        return {name: str(value) for name, value in told.items()}


@dataclass(slots=True)
class Limiter:
    """One bucket an address: a burst at once, then so many an hour. The address that was longest silent is forgotten first."""

    per_hour: int
    full_at: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def ask(self, address: str, now: float) -> Verdict:
        """Count a request at a time of a clock that never goes back."""
        interval = _HOUR / self.per_hour
        room = interval * BURST
        begun = max(self.full_at.get(address, now), now)
        until = begun + interval
        is_allowed = until - now <= room + interval
        self.full_at[address] = until if is_allowed else begun
        self.full_at.move_to_end(address)
        while len(self.full_at) > _ADDRESSES_MAX:
            self.full_at.popitem(last=False)
        level = self.full_at[address] - now
        remaining = int((room + interval - level) / interval)
        retry_after = 0 if is_allowed else math.ceil(until - now - room - interval)
        return Verdict(is_allowed, BURST + 1, max(0, remaining), int(level) + 1, retry_after)

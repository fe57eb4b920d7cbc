"""Who brings so much that the others would wait for it, and how fast that may go on meanwhile."""

from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from libs.common.kernel.ids import Tenant

WINDOW_SECONDS: Final = 1.0
"""Arrivals are counted over one to two of these."""
CROWD_MIN: Final = 100
"""Messages in the window, below which nobody crowds anybody."""
CROWD_TIMES: Final = 8
"""How many times the mean of the others a crowd brings: among equals there is none, however much they bring."""
PATIENCE_SECONDS: Final = 300.0
"""How long the others have precedence. Who brings much for longer is large, and no crowd, and must not fall behind for ever."""
CALM_SECONDS: Final = 10.0
"""A tenant of which nothing was set aside for so long is as any other."""
SHARE: Final = 0.5
"""Of a core, up to which a process may be busy before a crowd has to wait. Who comes to something that is half busy waits for
about as long as its own turn takes; near one it waits without bound (M/M/1: u / (1 - u))."""
SAVED_SECONDS_MAX: Final = 0.01
"""Time that may be saved up: what was not used before is no use to those who come now."""
PAUSE_SECONDS_MAX: Final = 0.1
"""After this the next turn of a crowd comes, however busy the process is with others."""

Seconds = Callable[[], float]
"""A clock."""


class Crowds:
    """Counts what each tenant brings, and knows of whom something was set aside lately."""

    def __init__(self, clock: Seconds) -> None:
        """Begin with nothing; the clock is monotonic."""
        self._clock = clock
        self._began = clock()
        self._current: Counter[Tenant] = Counter()
        self._previous: Counter[Tenant] = Counter()
        self._aside: dict[Tenant, tuple[float, float]] = {}
        """When something of a tenant was first and last set aside or taken up again."""

    def note_arrivals(self, counts: Mapping[Tenant, int]) -> None:
        """Count messages that came, by their tenant."""
        past = self._clock() - self._began
        if past >= WINDOW_SECONDS:
            self._previous = self._current if past < 2 * WINDOW_SECONDS else Counter()
            self._current = Counter()
            self._began = self._clock()
        self._current.update(counts)

    def is_crowd(self, tenant: Tenant) -> bool:
        """Tell whether what comes of the tenant is to be set aside: far more than the others bring, or more of what is."""
        now = self._clock()
        first, last = self._aside.get(tenant, (now, now - CALM_SECONDS))
        if now - last < CALM_SECONDS and now - first >= PATIENCE_SECONDS:
            return False
        return now - last < WINDOW_SECONDS or self._brings_far_more(tenant)

    def note_aside(self, tenants: AbstractSet[Tenant]) -> None:
        """Note that something of these was set aside, or was taken up again."""
        now = self._clock()
        fresh = {name: times for name, times in self._aside.items() if now - times[1] < CALM_SECONDS}
        self._aside = fresh | {name: (fresh[name][0] if name in fresh else now, now) for name in tenants}

    def must_wait(self, tenants: AbstractSet[Tenant]) -> bool:
        """Tell whether what was set aside of these goes on slowly: others are about, and were not made to wait too long."""
        now = self._clock()
        if now - self._began >= 2 * WINDOW_SECONDS or any(now - self._aside[name][0] >= PATIENCE_SECONDS for name in tenants):
            return False
        return self._total() > sum(self._brought(name) for name in self._aside)

    def _brings_far_more(self, tenant: Tenant) -> bool:
        own, others = self._brought(tenant), len(self._current.keys() | self._previous.keys()) - 1
        return own >= CROWD_MIN and own * others > CROWD_TIMES * (self._total() - own)

    def _brought(self, tenant: Tenant) -> int:
        return self._current[tenant] + self._previous[tenant]

    def _total(self) -> int:
        return self._current.total() + self._previous.total()


class Pace:
    """How long something waits so that the process it runs in stays idle for the rest of the time."""

    def __init__(self, clock: Seconds, used: Seconds) -> None:
        """Begin now; `used` tells the CPU seconds that the process has used."""
        self._clock, self._used = clock, used
        self._at, self._spent = clock(), used()
        self._saved = 0.0

    def pause_seconds(self) -> float:
        """Return for how long to wait before the next turn, from 0 to PAUSE_SECONDS_MAX."""
        at, spent = self._clock(), self._used()
        saved = self._saved + (at - self._at) * SHARE - (spent - self._spent)
        self._at, self._spent = at, spent
        self._saved = min(max(saved, -PAUSE_SECONDS_MAX * SHARE), SAVED_SECONDS_MAX)
        return max(-self._saved / SHARE, 0.0)

"""Who has asked how often: the limits a gateway enforces, and the counter behind them."""

import time
from typing import Final

from prometheus_client import Counter as Metric

from libs.common.kernel.clock import Clock
from services.gateway.clients.counters import Counter
from services.gateway.domain.limits import GENERAL, Hit, Quota, Rule, tightest

UNCOUNTED = Metric("offerhub_rate_limits_uncounted_total", "Requests that met no counter, by what became of them", ["outcome"])
"""`admitted` for reads, `refused` for writes."""
REFUSED = Metric("offerhub_rate_limits_refused_total", "Requests beyond a limit", ["rule"])


_SPENT_MAX: Final = 10_000


class RateLimits:
    """Counts requests and tells where their callers stand.

    Who has spent a window is remembered until its end, so that a flood beyond a limit costs nobody but this process.
    """

    def __init__(self, counter: Counter, clock: Clock, *, general: Rule = GENERAL, rules: tuple[Rule, ...] = ()) -> None:
        """Count with this counter: every request under `general`, some under one of `rules` too."""
        self._counter = counter
        self._clock = clock
        self.general: Final = general
        self.rules: Final = (general, *rules)
        """All of them, for whoever wants to tell."""
        self._spent: dict[Hit, float] = {}
        """When spent windows end, on the monotonic clock."""

    async def hit(self, *hits: Hit) -> Quota:
        """Count a request under its rules, and return the one its caller must mind.

        Raises:
            StoreUnavailableError: it can't be counted now.
        """
        quota = self.spent(*hits) or await self._count(hits, cost=1)
        if quota.is_exceeded:
            self._remember(quota, hits)
        return quota

    def spent(self, *hits: Hit) -> Quota | None:
        """Return a window that is known to be spent, if there is one among these."""
        now = time.monotonic()
        for hit in hits:
            left = self._spent.get(hit, now) - now
            if left > 0:
                return Quota(hit.rule, hit.rule.amount + 1, left, self._clock.now().timestamp() + left)
        return None

    async def look(self, *hits: Hit) -> Quota:
        """Return the same without counting.

        Raises:
            StoreUnavailableError: nobody knows now.
        """
        return await self._count(hits, cost=0)

    async def close(self) -> None:
        """Give the counter's connections back."""
        await self._counter.close()

    def _remember(self, quota: Quota, hits: tuple[Hit, ...]) -> None:
        if len(self._spent) >= _SPENT_MAX:
            self._spent.clear()
        for hit in hits:
            if hit.rule is quota.rule:
                self._spent[hit] = time.monotonic() + quota.seconds_left

    async def _count(self, hits: tuple[Hit, ...], *, cost: int) -> Quota:
        counted = await self._counter.count(hits, cost=cost)
        now = self._clock.now().timestamp()
        return tightest([
            Quota(hit.rule, count, left, now + left) for hit, (count, left) in zip(hits, counted, strict=True)
        ])  # fmt: skip

"""Failed authentications, counted by where they come from: in this process and, with a Redis, in all gateways together."""

import asyncio
import contextlib
import math
from typing import Final

from libs.common.kernel.clock import Clock
from libs.common.persistence.gathering import StoreUnavailableError
from services.gateway.clients.counters import Counted, Counter, LocalCounter
from services.gateway.domain.limits import Hit, Rule

FAILURES: Final = Rule("failed_authentications", 30, 60)
_DAY_SECONDS: Final = 24 * 3600
_KNOWN: Final = Rule("known_keys", 1, 2 * _DAY_SECONDS)
"""A key's marks where it was good: one a day, each for two days."""
_BLOCKED_MAX: Final = 10_000


class Attempts:
    """Knows which origins guess keys too fast, and which keys are at home there.

    A block is of an origin and never of a key: nobody can lock the owner of a key out from elsewhere. Where many clients share an
    origin, behind one NAT, keys that were good there today or yesterday pass a block as if there were none; a neighbour's guesses
    stop only keys that were never used there, and those for the rest of the minute.
    """

    def __init__(self, clock: Clock, shared: Counter | None = None, *, rule: Rule = FAILURES) -> None:
        """Count here and, if there is one, in a counter that others share; without its answer, here alone."""
        self.rule: Final = rule
        self._clock = clock
        self._shared = shared
        self._local = LocalCounter()
        self._blocked: dict[str, float] = {}

    def wait(self, origin: str) -> int:
        """Return how many seconds an origin has to wait: 0 unless it is blocked."""
        left = self._blocked.get(origin, 0.0) - asyncio.get_running_loop().time()
        if left > 0:
            return math.ceil(left)
        self._blocked.pop(origin, None)
        return 0

    async def fail(self, origin: str) -> int:
        """Count a failure; return how many seconds the origin has to wait now: 0 while it has tries left."""
        [(count, left)] = await self._count(Hit(self.rule, origin), cost=1)
        if count > self.rule.amount:
            self._blocked[origin] = asyncio.get_running_loop().time() + left
            if len(self._blocked) > _BLOCKED_MAX:
                del self._blocked[next(iter(self._blocked))]
        return self.wait(origin)

    async def vouch(self, origin: str, key: str) -> None:
        """Remember that a key was good here."""
        mark = Hit(_KNOWN, f"{origin}:{key}:{self._today()}")
        [(count, _)] = await self._local.count((mark,), cost=0)
        if not count:
            await self._count(mark, cost=1)

    async def is_known(self, origin: str, key: str) -> bool:
        """Tell whether a key was good here today or yesterday."""
        today = self._today()
        marks = (Hit(_KNOWN, f"{origin}:{key}:{day}") for day in (today, today - 1))
        return any(count for count, _ in await self._count(*marks, cost=0))

    def _today(self) -> int:
        return int(self._clock.now().timestamp()) // _DAY_SECONDS

    async def _count(self, *hits: Hit, cost: int) -> list[Counted]:
        counted = await self._local.count(hits, cost=cost)
        if self._shared is not None:
            with contextlib.suppress(StoreUnavailableError):  # the counter says so itself, and this process goes on counting
                shared = await self._shared.count(hits, cost=cost)
                counted = [max(both) for both in zip(counted, shared, strict=True)]
        return counted

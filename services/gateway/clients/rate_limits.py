"""Fixed windows of requests, counted in this process or, for several gateways together, in Redis."""

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Final

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.errors import StorageError

GENERAL: Final = RateLimitItemPerMinute(100)
"""Every caller's requests: 100 a minute, in a window that begins with the first one."""
_REDIS_SECONDS: Final = 0.5
_log = structlog.get_logger("offerhub.rate_limits")


@dataclass(frozen=True, slots=True)
class Quota:
    """Where a caller stands in its window."""

    limit: int
    remaining: int
    ends_at: float
    """Unix time at which the window ends."""
    is_exceeded: bool

    @property
    def reset(self) -> int:
        """Return the first Unix second after the window."""
        return math.ceil(self.ends_at)

    @property
    def retry_after(self) -> int:
        """Count the seconds until the window ends: at least 1."""
        return max(1, math.ceil(self.ends_at - time.time()))  # noqa: TID251 - compared with the storage's own clock


class RateLimits:
    """Counts the requests of each caller."""

    def __init__(self, redis_url: str = "", *, rule: RateLimitItemPerMinute = GENERAL) -> None:
        """Count in Redis when there is a URL."""
        self._rule = rule
        self._resets: dict[str, float] = {}
        self._storage: MemoryStorage | RedisStorage = (
            RedisStorage(f"async+{redis_url}", implementation="redispy", wrap_exceptions=True) if redis_url else MemoryStorage()
        )

    async def hit(self, caller: str) -> Quota | None:
        """Count one request; None when the counter can't be reached."""
        key = self._rule.key_for(caller)
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                count = await self._storage.incr(key, self._rule.get_expiry())
                reset = self._resets.get(key, 0.0)
                if count == 1 or reset <= time.time():  # noqa: TID251 - the storage's own clock
                    reset = self._remember(key, await self._storage.get_expiry(key))
        except (OSError, TimeoutError, StorageError) as error:
            _log.warning("rate_limits.unreachable", error=repr(error))
            return None
        limit = self._rule.amount
        return Quota(limit, max(0, limit - count), reset, is_exceeded=count > limit)

    async def close(self) -> None:
        """Give the connections to Redis back."""
        if isinstance(self._storage, RedisStorage) and isinstance(self._storage.bridge, RedispyBridge):
            await self._storage.bridge.storage.aclose()

    def _remember(self, key: str, reset: float) -> float:
        if len(self._resets) > 10_000:  # noqa: PLR2004 - callers are few; strangers must not fill the memory
            self._resets.clear()
        self._resets[key] = reset
        return reset

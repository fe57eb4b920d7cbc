"""Counting requests in windows: in this process, or in Redis for several gateways together."""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec
import structlog
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from libs.common.persistence.gathering import Gathering, StoreUnavailableError
from services.gateway.domain.limits import Hit

Counted = tuple[int, float]
"""The requests of a window, and the seconds until it ends."""
WINDOWS_MAX: Final = 100_000
"""Of one rule, in one process: strangers must not fill the memory."""
_REDIS_SECONDS: Final = 0.5
_RECOVERY_SECONDS: Final = 0.25
_REQUESTS_MAX: Final = 200
_TROUBLE: Final = (OSError, TimeoutError, RedisError)

# A window lives as long as its key. KEYS are windows; the argument holds four numbers for each: its place among its request's
# windows, what to add, the limit, and the length in ms. The answer holds two for each: the count, and the ms that are left. Both
# are JSON, in one string, because the client takes longer over every single argument than Redis over all of them. A key without
# an end, which only somebody else can have made, is given one.
_SCRIPT: Final = """
local asked, told, cost = cjson.decode(ARGV[1]), {}, 0
for i, window in ipairs(KEYS) do
  local at = 4 * (i - 1)
  local limit, length = asked[at + 3], asked[at + 4]
  if asked[at + 1] == 0 then cost = asked[at + 2] end
  local count
  if cost > 0 then count = redis.call('INCRBY', window, cost)
  else count = tonumber(redis.call('GET', window) or '0') end
  local left = redis.call('PTTL', window)
  if left < 0 then
    redis.call('PEXPIRE', window, length)
    left = length
  end
  if count > limit then cost = 0 end
  told[2 * i - 1], told[2 * i] = count, left
end
return #told > 0 and cjson.encode(told) or '[]'
"""
_numbers: msgspec.json.Decoder[list[int]] = msgspec.json.Decoder(list[int])
_log = structlog.get_logger("offerhub.rate_limits")


class Counter(Protocol):
    """Counts a request under all of its rules at once."""

    async def count(self, hits: Sequence[Hit], *, cost: int) -> list[Counted]:
        """Add `cost` (1, or 0 to look only) to each window, in this order; after one that is exceeded the others are left alone.

        Raises:
            StoreUnavailableError: it can't be counted now.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


class LocalCounter:
    """Counts in this process only.

    Windows of one rule are equally long, so they end in the order in which they began: the oldest are always in front.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, *, windows_max: int = WINDOWS_MAX) -> None:
        """Use this clock, in seconds. Beyond `windows_max` of one rule the oldest is forgotten."""
        self._now = now
        self._windows_max = windows_max
        self._windows: dict[str, dict[str, Counted]] = {}

    async def count(self, hits: Sequence[Hit], *, cost: int) -> list[Counted]:
        """See `Counter`; never unavailable."""
        now = self._now()
        counted: list[Counted] = []
        for hit in hits:
            count, ends_at = self._add(hit, cost, now)
            counted.append((count, ends_at - now))
            cost = 0 if count > hit.rule.amount else cost
        return counted

    async def close(self) -> None:
        """See `Counter`; there is nothing to give back."""

    def _add(self, hit: Hit, cost: int, now: float) -> Counted:
        windows = self._windows.setdefault(hit.rule.name, {})
        count, ends_at = windows.get(hit.whose, (0, 0.0))
        if ends_at > now:
            window = (count + cost, ends_at)
        else:
            window = (cost, now + hit.rule.seconds)
            windows.pop(hit.whose, None)
            self._make_room(windows, now)
        if cost:
            windows[hit.whose] = window
        return window

    def _make_room(self, windows: dict[str, Counted], now: float) -> None:
        """Forget windows that are over, a few at a time, and the oldest when there are too many."""
        for whose in list(islice(windows, 2)):
            if windows[whose][1] <= now or len(windows) >= self._windows_max:
                del windows[whose]


class RedisCounter:
    """Counts in Redis. Requests that come in while a call is under way share the next one: at most one round trip each.

    As there is never more than one call under way there is one connection, spoken to without the client around it, which costs
    more than all the rest.
    """

    def __init__(self, url: str, *, prefix: str = "") -> None:
        """Begin the names of all windows with `prefix`."""
        self._prefix = f"{prefix}limits:"
        self._connection = ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call] # has no annotations
        self._asked: Gathering[tuple[Sequence[Hit], int], list[Counted]] = Gathering(
            self._run, most=_REQUESTS_MAX, seconds=_REDIS_SECONDS, trouble=_TROUBLE
        )
        self._recovery: asyncio.Task[None] | None = None

    async def count(self, hits: Sequence[Hit], *, cost: int) -> list[Counted]:
        """See `Counter`. While Redis is away nobody waits for it: a task of its own looks whether it is back."""
        if self._recovery is not None:
            raise StoreUnavailableError("Redis has not come back yet")
        try:
            return await self._asked.add((hits, cost))
        except StoreUnavailableError as error:
            if self._recovery is None:
                _log.warning("rate_limits.unreachable", error=repr(error))
                self._recovery = asyncio.create_task(self._recover())
            raise

    async def close(self) -> None:
        """See `Counter`."""
        if self._recovery is not None:
            self._recovery.cancel()
        await self._connection.disconnect()

    async def _run(self, asked: Sequence[tuple[Sequence[Hit], int]]) -> list[list[Counted]]:
        keys: list[str] = []
        arguments: list[int] = []
        for hits, cost in asked:
            for place, hit in enumerate(hits):
                keys.append(f"{self._prefix}{hit.rule.name}:{hit.whose}")
                arguments += (place, cost, hit.rule.amount, round(hit.rule.seconds * 1000))
        told = iter(_numbers.decode(await self._evaluate(keys, msgspec.json.encode(arguments))))
        counted = iter([(count, left / 1000) for count, left in zip(told, told, strict=True)])
        return [list(islice(counted, len(hits))) for hits, _ in asked]

    async def _evaluate(self, keys: list[str], argument: bytes) -> bytes:
        command = ("EVAL", _SCRIPT, len(keys), *keys, argument)
        was_connected = self._connection.is_connected
        await self._connection.send_command(*command)
        try:
            told: bytes = await self._connection.read_response()
        except RedisConnectionError:
            if not was_connected:
                raise
            # Redis had closed the connection while it was idle.
            await self._connection.send_command(*command)
            told = await self._connection.read_response()
        return told

    async def _recover(self) -> None:
        while True:
            await asyncio.sleep(_RECOVERY_SECONDS)
            try:
                await self._asked.add(((), 0))
            except StoreUnavailableError:
                continue
            self._recovery = None
            _log.info("rate_limits.reachable")
            return

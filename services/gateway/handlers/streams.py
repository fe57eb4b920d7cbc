"""All streams of this process: who may have one, what they follow, and when they must end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from libs.common.contracts.notices import LogGrew, StreamTaken
from libs.common.kernel.ids import Tenant
from libs.common.persistence.gathering import TROUBLE
from services.gateway.clients.notices import Notices
from services.gateway.domain.errors import ApiError, invalid
from services.gateway.domain.streams import PER_USER
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.handlers.event_log import EventLog, Tail
from services.gateway.handlers.stream import Asked, Stream
from services.gateway.store.keys import KeyName
from services.gateway.store.leases import Lease, Leases

STREAMS_MAX: Final = 10_000
"""Streams that may be open in one process."""
_PATIENCE_SECONDS: Final = (0.01, 0.04, 0.15, 0.3, 0.5)
"""How long a stream that has just ended may take until it is let go, look by look."""
_RETRY_AFTER_SECONDS: Final = 15
_log = structlog.get_logger("offerhub.streams")

OPEN = Gauge("offerhub_streams_open", "Event streams that are open")
LAG = Gauge("offerhub_streams_lag", "Events that the stream furthest behind has still to look at")
ENDED = Counter("offerhub_streams_ended_total", "Event streams that ended, by reason", ["reason"])


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds."""

    beat: float = 15.0
    """Between two signs of life on a silent stream."""
    patience: float = 30.0
    """After which a client that does not read is cut off."""
    renewal: float = 15.0
    lease: float = 45.0
    """After which the lease of a dead gateway is over."""
    look: float = 3.0
    """Between two looks at the log that nobody announced."""
    guard: float = 0.5
    """Between two looks whether the keys of open streams are still good."""


STEADY: Final = Pace()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins: after a position, or with what was logged since an instant, or with what comes now."""

    after: int | None = None
    since: str | None = None
    named: str = "cursor"
    """What the caller calls its position."""


class Streams:
    """Opens streams, and keeps them as long as they may be."""

    def __init__(
        self,
        log: EventLog,
        leases: Leases,
        authenticator: Authenticator,
        notices: Notices,
        *,
        pace: Pace,
        dice: Callable[[], float],
    ) -> None:
        """Serve streams of this log; `dice` throws from 0 to 1."""
        self._log = log
        self._leases = leases
        self._authenticator = authenticator
        self._notices = notices
        self._pace = pace
        self._dice = dice
        self._kept = timedelta(seconds=pace.lease)
        self._open: dict[str, Stream] = {}
        self._tails: dict[Tenant, Tail] = {}
        self._is_draining = False
        notices.hear = self._hear

    async def open(self, asked: Asked, start: Start, *, takeover: bool) -> Stream:
        """Open the one stream of a user.

        Raises:
            ApiError: VALIDATION_ERROR, the log has not come to such a position; RATE_LIMITED, the user has a stream;
            SERVICE_UNAVAILABLE.
        """
        if not self._takes_more():
            raise ApiError("SERVICE_UNAVAILABLE", "This gateway takes no more streams now", retry_after=1)
        tenant = Tenant(asked.lease.tenant)
        place = await self._log.find(tenant, start.since)
        if start.after is not None and start.after > place.head:
            raise invalid(start.named, f"there is no such position yet: the last one is {place.head}")
        await self._take(asked.lease, takeover=takeover)
        tail = self._tails.get(tenant)
        if tail is None:
            tail = self._tails[tenant] = Tail(tenant, self._log, place.head)
        tail.announce(place.head)
        stream = Stream(
            asked,
            tail,
            self._log,
            after=place.after if start.after is None else start.after,
            beat_seconds=self._pace.beat,
            patience=self._pace.patience,
            retry_ms=lambda: int(1_000 + 2_000 * self._dice()),
            close=self._close,
        )
        if not self._takes_more():  # the drain began while this one was asked for
            stream.end("drained")
        self._open[asked.lease.holder] = stream
        OPEN.set(len(self._open))
        return stream

    def _takes_more(self) -> bool:
        return not self._is_draining and len(self._open) < STREAMS_MAX

    def drain(self) -> None:
        """End every stream, and open none any more: clients come back to another gateway."""
        self._is_draining = True
        for stream in self._open.values():
            stream.end("drained")

    async def guard(self) -> None:
        """End streams whose key is no longer good, again and again until cancelled."""
        while True:
            await asyncio.sleep(self._pace.guard)
            try:
                ended = await self._authenticator.ended({_key(stream) for stream in self._open.values()})
            except TROUBLE:
                continue  # the next look tells
            if ended:
                for stream in self._open.values():
                    if _key(stream) in ended:
                        stream.end("revoked")

    async def renew(self) -> None:
        """Renew the leases of open streams and end those that lost theirs, again and again until cancelled."""
        while True:
            await asyncio.sleep(self._pace.renewal)
            mine = [stream.asked.lease for stream in self._open.values()]
            try:
                held = await self._leases.renew(mine, self._kept)
                await self._leases.forget()
            except TROUBLE as error:
                _log.warning("leases.not_renewed", error=repr(error))
                continue
            for lease in mine:
                if lease.holder not in held and lease.holder in self._open:
                    self._open[lease.holder].end("taken")

    async def look(self) -> None:
        """Look for what no announcement told of, again and again until cancelled."""
        while True:
            await asyncio.sleep(self._pace.look)
            LAG.set(max((stream.lag for stream in self._open.values()), default=0))
            for tail in self._tails.values():
                tail.look()

    async def _take(self, lease: Lease, *, takeover: bool) -> None:
        try:
            for patience in _PATIENCE_SECONDS:
                if await self._leases.take(lease, self._kept, anyway=takeover):
                    break
                await asyncio.sleep(patience)
            else:
                raise _one_is_open()
        except TROUBLE as error:
            raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        if takeover:
            taken = StreamTaken(lease.api_key_id, lease.user_id, lease.holder)
            self._end_others(Tenant(lease.tenant), taken)
            self._notices.tell(Tenant(lease.tenant), taken)

    def _hear(self, tenant: Tenant, notice: msgspec.Struct) -> None:
        if isinstance(notice, LogGrew) and tenant in self._tails:
            self._tails[tenant].announce(notice.position, notice.events)
        elif isinstance(notice, StreamTaken):
            self._end_others(tenant, notice)

    def _end_others(self, tenant: Tenant, taken: StreamTaken) -> None:
        whose = (tenant, taken.api_key_id, taken.user_id)
        for stream in self._open.values():
            if stream.asked.lease[:3] == whose and stream.asked.lease.holder != taken.holder:
                stream.end("taken")

    async def _close(self, stream: Stream) -> None:
        lease = stream.asked.lease
        if self._open.pop(lease.holder, None) is None:
            return
        OPEN.set(len(self._open))
        ENDED.labels(stream.ended_for).inc()
        if not stream.tail.followers:
            self._tails.pop(Tenant(lease.tenant), None)
        try:
            await self._leases.release(lease)
        except TROUBLE as error:
            _log.warning("lease.not_released", error=repr(error))


def _key(stream: Stream) -> KeyName:
    lease = stream.asked.lease
    return Tenant(lease.tenant), lease.api_key_id


def _one_is_open() -> ApiError:
    refusal = ApiError("RATE_LIMITED", "Too many requests", retry_after=_RETRY_AFTER_SECONDS, limit=PER_USER)
    refusal.details |= {"retry_after": _RETRY_AFTER_SECONDS, "fix": "takeover=true ends the stream that is open"}
    return refusal

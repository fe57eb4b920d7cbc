"""The event log as streams read it: the past in parts that all share, the end as it grows."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import dropwhile
from typing import Final

import msgspec
import structlog

from libs.common.contracts.queries.webhooks import FindPosition, ReadLog
from libs.common.contracts.replies.webhooks import LogPart, LogPlace, StreamedEvent
from libs.common.kernel.ids import Tenant
from services.gateway.domain.errors import ApiError
from services.gateway.domain.streams import Frame, frame
from services.gateway.handlers.services import RefusedError, Services

PART: Final = 128
"""Positions that are read together; parts begin at multiples of it, so that all who read the past read the same ones."""
PARTS_BYTES_MAX: Final = 16 * 1024 * 1024
TAIL_BYTES_MAX: Final = 4 * 1024 * 1024
TAIL_FRAMES_MAX: Final = 2_048
_READS_MAX: Final = 8
"""Reads of the past under way at once: 5,000 clients that come back together must not ask 5,000 questions."""
_part: Final = msgspec.json.Decoder(LogPart)
_place: Final = msgspec.json.Decoder(LogPlace)
_log = structlog.get_logger("offerhub.streams")


class EventLog:
    """Asks the webhooks service, and remembers the parts of the past that were read last."""

    def __init__(self, services: Services) -> None:
        """Ask over these."""
        self._services = services
        self._parts: OrderedDict[tuple[Tenant, int], list[Frame]] = OrderedDict()
        self._bytes = 0
        self._reads: dict[tuple[Tenant, int], asyncio.Task[list[Frame]]] = {}
        self._turns = asyncio.Semaphore(_READS_MAX)

    async def find(self, tenant: Tenant, since: str | None = None) -> LogPlace:
        """Return where a tenant's log begins and ends, and where all that was logged since an instant begins.

        Raises:
            ApiError: SERVICE_UNAVAILABLE.
        """
        return _place.decode(await self._services.query("webhooks", FindPosition(since), tenant=tenant))

    async def read_now(self, tenant: Tenant, after: int) -> list[Frame]:
        """Return some events after a position as the log has them now.

        Raises:
            ApiError: SERVICE_UNAVAILABLE.
        """
        found = await self._services.query("webhooks", ReadLog(after, PART), tenant=tenant)
        return [frame(event) for event in _part.decode(found).events]

    async def read(self, tenant: Tenant, after: int) -> Sequence[Frame]:
        """Return events that come after a position, up to the end of its part; none when none of those is kept.

        Raises:
            ApiError: SERVICE_UNAVAILABLE.
        """
        key = tenant, after // PART
        frames = self._parts.get(key)
        if frames is None:
            if key not in self._reads:
                self._reads[key] = asyncio.create_task(self._fetch(key))
            frames = await asyncio.shield(self._reads[key])
        else:
            self._parts.move_to_end(key)
        return list(dropwhile(lambda found: found.position <= after, frames))

    async def _fetch(self, key: tuple[Tenant, int]) -> list[Frame]:
        tenant, number = key
        end = (number + 1) * PART
        try:
            async with self._turns:
                frames = [found for found in await self.read_now(tenant, number * PART) if found.position <= end]
        finally:
            del self._reads[key]
        if frames and frames[-1].position == end:
            self._keep(key, frames)
        return frames

    def _keep(self, key: tuple[Tenant, int], frames: list[Frame]) -> None:
        self._parts[key] = frames
        self._bytes += _size(frames)
        while self._bytes > PARTS_BYTES_MAX:
            _, oldest = self._parts.popitem(last=False)
            self._bytes -= _size(oldest)


class Tail:
    """The end of a tenant's log, followed while somebody streams it."""

    def __init__(self, tenant: Tenant, log: EventLog, position: int) -> None:
        """Follow the log after a position that is known to be in it."""
        self._tenant = tenant
        self._log = log
        self._frames: list[Frame] = []
        self._bytes = 0
        self._announced = position
        self._reading: asyncio.Task[None] | None = None
        self.position = position
        """The last position that has been read."""
        self.followers: set[Callable[[], None]] = set()
        """Called whenever the tail has grown."""

    def announce(self, position: int, events: Sequence[StreamedEvent] = ()) -> None:
        """Hear that the log has grown, take what follows on what is here, and read what is still missing."""
        self._announced = max(self._announced, position)
        told = [event for event in events if event.position > self.position]
        if [event.position for event in told] == list(range(self.position + 1, self.position + 1 + len(told))):
            self._grow(map(frame, told))
        if self._announced > self.position:
            self.look()

    def look(self) -> None:
        """Read what came, announced or not."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())

    def after(self, position: int, *, most: int) -> Sequence[Frame] | None:
        """Return up to `most` events that come after a position; None when that is too long ago to be here."""
        index = position - (self.position - len(self._frames))
        return None if index < 0 else self._frames[index : index + most]

    async def _read(self) -> None:
        try:
            while True:
                announced = self._announced
                frames = await self._log.read_now(self._tenant, self.position)
                self._grow(frames)
                if len(frames) < PART and self._announced <= self.position:
                    return
                if not frames and self._announced == announced:
                    return  # nothing is there yet, and nobody said anything meanwhile
        except (ApiError, RefusedError) as error:
            _log.warning("tail.not_read", tenant=self._tenant, error=repr(error))
        finally:
            self._reading = None

    def _grow(self, found: Iterable[Frame]) -> None:
        """Take frames that follow on the last one; an announcement and a read under way may bring the same."""
        frames = list(dropwhile(lambda frame: frame.position <= self.position, found))
        if not frames:
            return
        self._frames += frames
        self._bytes += _size(frames)
        self.position = frames[-1].position
        while len(self._frames) > TAIL_FRAMES_MAX or self._bytes > TAIL_BYTES_MAX:
            half = (len(self._frames) + 1) // 2
            self._bytes -= _size(self._frames[:half])
            del self._frames[:half]
        for wake in tuple(self.followers):
            wake()


def _size(frames: Sequence[Frame]) -> int:
    return sum(len(found.text) for found in frames)

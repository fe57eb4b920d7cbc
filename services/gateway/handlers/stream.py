"""One client's stream: a cursor over its tenant's log."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway.domain.errors import ApiError
from services.gateway.domain.streams import Frame, Wish, ping, reset, retry
from services.gateway.handlers.event_log import EventLog, Tail
from services.gateway.handlers.services import RefusedError
from services.gateway.store.leases import Lease

CHUNK_BYTES: Final = 64 * 1024
"""What is handed to a connection at once; beside it a client costs the connection's own buffer, however slow it is."""
_STEP: Final = 256
_TROUBLE_PAUSE_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 0.25
"""How long the end of a stream may take: a client that does not read would go on getting what it may not have any more."""
_log = structlog.get_logger("offerhub.streams")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked for, and by which right."""

    lease: Lease
    wish: Wish


class Stream:
    """The body of an answer that goes on until somebody ends it: the events after a position, and pings between them.

    What has passed and what comes are read by the same cursor, so nothing is missed or doubled between the two. A client that
    reads slowly is not written to; it goes on from the log when it reads again.
    """

    def __init__(
        self,
        asked: Asked,
        tail: Tail,
        log: EventLog,
        *,
        after: int,
        beat_seconds: float,
        patience: float,
        retry_ms: Callable[[], int],
        close: Callable[["Stream"], Awaitable[None]],
    ) -> None:
        """Begin after a position; `retry_ms` throws how long the client waits before it comes back."""
        self.asked = asked
        self.tail = tail
        self.position = after
        self.patience = patience
        self.cut: Callable[[], None] = lambda: None
        self.ended_for = ""
        """Why it ended; empty while it goes on."""
        self._log = log
        self._beat_seconds = beat_seconds
        self._retry_ms = retry_ms
        self._close = close
        self._cutting: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        tail.followers.add(self.wake)

    @property
    def lag(self) -> int:
        """Count the events that it has not looked at yet."""
        return max(0, self.tail.position - self.position)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield what is to be sent, in pieces of whole frames."""
        now = self._loop.time
        yield retry(self._retry_ms()) + ping(self.position)
        beat_at = now() + self._beat_seconds
        while not self.ended_for:
            chunk, rest_until = await self._advance(beat_at)
            if chunk:
                yield chunk
                beat_at = now() + self._beat_seconds
            elif now() >= beat_at:
                yield ping(self.position)
                beat_at = now() + self._beat_seconds
            elif rest_until:
                await self._rest(rest_until)
        yield retry(self._retry_ms())

    def end(self, reason: str) -> None:
        """Let it end after what is being sent, which must not take long any more."""
        if not self.ended_for:
            self.ended_for = reason
            self._cutting = self._loop.call_later(_LAST_SECONDS, self._cut_off)
            self.wake()

    def wake(self) -> None:
        """Look whether there is something to do."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def close(self) -> None:
        """Give back what it holds; nothing is yielded any more."""
        self.end("gone")
        for timer in (self._cutting, self._alarm):
            if timer is not None:
                timer.cancel()
        self.tail.followers.discard(self.wake)
        await self._close(self)

    def _cut_off(self) -> None:
        self.cut()  # by now there is one

    async def _advance(self, beat_at: float) -> tuple[bytes, float]:
        """Go on in the log; return what is to be sent, and when to look again (0 for at once)."""
        frames = self.tail.after(self.position, most=_STEP)
        if frames is None:
            try:
                frames = await self._log.read(self.asked.lease.tenant, self.position)  # type: ignore[arg-type] # as it came
                if not frames or frames[0].position > self.position + 1:
                    return await self._jump(frames), 0
            except (ApiError, RefusedError) as error:
                _log.warning("stream.past_not_read", position=self.position, error=repr(error))
                return b"", min(beat_at, self._loop.time() + _TROUBLE_PAUSE_SECONDS)
        return (self._gather(frames), 0) if frames else (b"", beat_at)

    def _gather(self, frames: Sequence[Frame]) -> bytes:
        covers, wanted, size = self.asked.wish.covers, list[bytes](), 0
        for frame in frames:
            if covers(frame):
                wanted.append(frame.text)
                size += len(frame.text)
            self.position = frame.position
            if size >= CHUNK_BYTES:
                break
        return b"".join(wanted)

    async def _jump(self, frames: Sequence[Frame]) -> bytes:
        """Go to the oldest event that is kept, and say so."""
        oldest = frames[0].position if frames else (await self._log.find(self.asked.lease.tenant)).oldest  # type: ignore[arg-type]
        told = reset(after=self.position, oldest=oldest)
        self.position = oldest - 1
        return told

    async def _rest(self, until: float) -> None:
        """Rest until woken, at the latest then; an alarm that is set for earlier stays, and whoever is woken by it rests on."""
        if self._alarm is None or self._alarm.when() > until:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(until, self._ring)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

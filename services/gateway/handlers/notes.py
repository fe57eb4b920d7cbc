"""Record the requests that claimed nothing: refused writes and replays, and a sample of the reads."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from prometheus_client import Counter

from libs.common.kernel.clock import Clock
from libs.common.persistence.gathering import Gathering
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import Fate
from services.gateway.handlers.once import Asked
from services.gateway.store.requests import Ended, Requests

WAITING_MAX: Final = 2_000
"""Notes that may wait for the database: beyond it they are dropped and counted, because answers matter more."""
_UNWORTHY: Final = frozenset({401, 429, 503})
"""Answers of which a caller can have any number: they are counted in metrics only."""

NOTES_DROPPED = Counter("offerhub_request_notes_dropped_total", "Requests that were not recorded for lack of a database")


class Notes:
    """Writes notes in batches, off the request's path; nothing waits for them."""

    def __init__(self, requests: Requests, clock: Clock, *, read_share: float, dice: Callable[[], float]) -> None:
        """Record every write, and the given share of reads; `dice` throws from 0 to 1."""
        self._notes: Gathering[Ended, None] = Gathering(requests.note)
        self._clock = clock
        self._read_share = read_share
        self._dice = dice

    def wants(self, method: str, answer: Answer) -> bool:
        """Tell whether a request is to be recorded."""
        if answer.status in _UNWORTHY:
            return False
        return method not in ("GET", "HEAD") or (self._read_share > 0 and self._dice() < self._read_share)

    def add(self, asked: Asked, answer: Answer, *, seconds: float) -> None:
        """Have a request recorded that was answered just now, `seconds` after it came."""
        if self._notes.waiting >= WAITING_MAX:
            NOTES_DROPPED.inc()
            return
        started_at = self._clock.now() - timedelta(seconds=seconds)
        about, is_storable = asked.about, answer.code != ""
        ended = Ended(asked.claim(), asked.id, started_at, answer, Fate.FREE, about.resource_id, is_storable=is_storable)
        self._notes.add(ended).add_done_callback(_written)

    async def drain(self) -> None:
        """Wait until everything is written."""
        await self._notes.drain()


def _written(done: asyncio.Future[None]) -> None:
    if done.cancelled() or done.exception() is not None:
        NOTES_DROPPED.inc()

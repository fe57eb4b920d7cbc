"""Events of a tenant that brings far more than the others wait in a queue of their own, so that nobody waits behind them."""

import asyncio
import time
from collections import Counter
from collections.abc import Set as AbstractSet
from typing import Final

from libs.common.contracts.envelope import Envelope, encode, unframe
from libs.common.kernel.ids import Tenant
from libs.common.messaging import faults
from libs.common.messaging.crowds import Crowds, Pace, Seconds
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.write_path import WritePath
from libs.common.observability.metrics import SET_ASIDE

TURN: Final = 16
"""Messages that go on together while others are about: what comes meanwhile waits for about 5 ms of work."""


class Backlog:
    """Stands between a queue that all tenants share and the write path.

    What is set aside is on the backlog queue, confirmed, before its frame is acknowledged. Messages of one tenant may overtake
    each other by that: who listens through this puts them in order again by their sequence.
    """

    def __init__(self, write_path: WritePath, publisher: Publisher, queue: str, *, clock: Seconds = time.monotonic) -> None:
        """Set aside on this queue."""
        self._write_path, self._publisher, self._queue = write_path, publisher, queue
        self._crowds = Crowds(clock)
        self._pace = Pace(clock, time.process_time)
        self._turn = asyncio.Lock()

    async def accept(self, body: bytes) -> None:
        """Handle a frame that just came, but for what is set aside of it.

        Raises:
            TransientError: it could not be made safe; the frame must be delivered again.
        """
        envelopes, bad = unframe(body)
        counts = Counter(envelope.tenant for envelope in envelopes)
        self._crowds.note_arrivals(counts)
        crowding = {tenant for tenant in counts if self._crowds.is_crowd(tenant)}
        aside = [envelope for envelope in envelopes if envelope.tenant in crowding]
        rest = [envelope for envelope in envelopes if envelope.tenant not in crowding] if aside else envelopes
        await asyncio.gather(self._set_aside(aside, crowding), self._write_path.take(rest, bad))

    async def accept_aside(self, body: bytes) -> None:
        """Handle a frame that was set aside: at once, or in turns and with pauses while others are about.

        Raises:
            TransientError: it could not be made safe; the frame must be delivered again.
        """
        envelopes, bad = unframe(body)
        tenants = {envelope.tenant for envelope in envelopes}
        self._crowds.note_aside(tenants)
        while envelopes and self._crowds.must_wait(tenants):
            async with self._turn:
                await asyncio.sleep(self._pace.pause_seconds())
                await self._write_path.take(envelopes[:TURN])
            envelopes = envelopes[TURN:]
            self._crowds.note_aside(tenants)
        await self._write_path.take(envelopes, bad)

    async def _set_aside(self, envelopes: list[Envelope], tenants: AbstractSet[Tenant]) -> None:
        if not envelopes:
            return
        self._crowds.note_aside(tenants)
        SET_ASIDE.inc(len(envelopes))
        await self._publisher.send_all([encode(envelope) for envelope in envelopes], exchange="", routing_key=self._queue)
        faults.reach("backlog.set_aside")

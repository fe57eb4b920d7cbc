"""Tells the gateways how far logs have come, right after the commit."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from libs.common.contracts.envelope import Envelope, encode, raw
from libs.common.contracts.notices import LogGrew
from libs.common.contracts.replies.webhooks import StreamedEvent
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.batch import Decided
from libs.common.messaging.worker import Parts
from services.webhooks.store.log_rows import EventRow

TOLD_BYTES_MAX: Final = 16 * 1024
"""So much of a log's growth is told with it; who follows it asks for more than that."""


@dataclass(slots=True)
class _Growth:
    """What came to a log since it was last told of."""

    events: list[StreamedEvent] = field(default_factory=list)
    position: int = 0
    size: int = 0

    def add(self, row: EventRow) -> None:
        self.position = row.position
        self.size += len(row.body)
        if self.size <= TOLD_BYTES_MAX:
            self.events.append(StreamedEvent(row.position, row.type, row.user_ids, msgspec.Raw(row.body)))

    def notice(self) -> LogGrew:
        return LogGrew(self.position, tuple(self.events) if self.size <= TOLD_BYTES_MAX else ())


class Announcer:
    """Sends how far each log that grew has come. What gets lost does no harm: gateways look for themselves now and then."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._grown: defaultdict[Tenant, _Growth] = defaultdict(_Growth)
        self._wake = asyncio.Event()

    def note(self, decided: Sequence[Decided]) -> None:
        """See what a batch that has committed did to the logs."""
        for item in decided:
            for _, row in item.decision.rows:
                if isinstance(row, EventRow):
                    self._grown[item.work.envelope.tenant].add(row)
        if self._grown:
            self._wake.set()

    async def run(self, parts: Parts) -> None:
        """Tell what was noted; what is noted meanwhile is told together, once the broker has confirmed."""
        exchange = parts.publisher.topology.notices.name
        while True:
            await self._wake.wait()
            self._wake.clear()
            grown, self._grown = self._grown, defaultdict(_Growth)
            told = [
                encode(Envelope(new_id("cmd"), LogGrew.__name__, tenant, raw(growth.notice())))
                for tenant, growth in grown.items()
            ]
            sent = parts.publisher.send_all(told, exchange=exchange, routing_key="", persistent=False)
            await asyncio.gather(sent, return_exceptions=True)  # there may be no gateway, or no broker

"""Tells the gateways how far logs have come, right after the commit."""

import asyncio
from collections.abc import Sequence

from libs.common.contracts.envelope import Envelope, encode, raw
from libs.common.contracts.notices import LogGrew
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.batch import Decided
from libs.common.messaging.worker import Parts
from services.webhooks.store.log_rows import LogHeadRow


class Announcer:
    """Sends the newest head of each log that grew. What gets lost does no harm: gateways look for themselves now and then."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._heads: dict[Tenant, int] = {}
        self._wake = asyncio.Event()

    def note(self, decided: Sequence[Decided]) -> None:
        """See what a batch that has committed did to the logs."""
        for item in decided:
            for _, row in item.decision.rows:
                if isinstance(row, LogHeadRow):
                    self._heads[item.work.envelope.tenant] = row.position
        if self._heads:
            self._wake.set()

    async def run(self, parts: Parts) -> None:
        """Tell what was noted; what is noted meanwhile is told together, once the broker has confirmed."""
        exchange = parts.publisher.topology.notices.name
        while True:
            await self._wake.wait()
            self._wake.clear()
            heads, self._heads = self._heads, {}
            told = [
                encode(Envelope(new_id("cmd"), LogGrew.__name__, tenant, raw(LogGrew(position))))
                for tenant, position in heads.items()
            ]
            sent = parts.publisher.send_all(told, exchange=exchange, routing_key="", persistent=False)
            await asyncio.gather(sent, return_exceptions=True)  # there may be no gateway, or no broker

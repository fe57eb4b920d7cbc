"""The relay: publishes what a dead or disconnected writer left in its outbox."""

import asyncio
from typing import Final

import asyncpg
import structlog

from libs.common.kernel.clock import Clock
from libs.common.kernel.errors import TransientError
from libs.common.messaging import faults
from libs.common.messaging.publisher import Publisher
from libs.common.observability.metrics import OUTBOX_OLDEST, OUTBOX_RELAYED
from libs.common.persistence import outbox

INTERVAL_SECONDS: Final = 1.0
BATCH_ROWS: Final = 500
_log = structlog.get_logger("offerhub.relay")


class Relay:
    """Looks once a second, and at start, for outbox rows whose writer had its chance.

    Rows are locked while they are published, so two relays never publish the same one at once. A crash between
    confirm and delete publishes again; every consumer's inbox knows duplicates.
    """

    def __init__(self, pool: asyncpg.Pool, publisher: Publisher, clock: Clock) -> None:
        """Relay the outbox of this pool's schema."""
        self._pool = pool
        self._publisher = publisher
        self._clock = clock

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            try:
                while await self.relay_once() == BATCH_ROWS:
                    pass
            except (OSError, TransientError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("relay.trouble", error=repr(error))
            await asyncio.sleep(INTERVAL_SECONDS)

    async def relay_once(self) -> int:
        """Publish one batch of due rows and delete those the broker confirmed; return how many were due."""
        async with self._pool.acquire() as connection, connection.transaction():
            now = self._clock.now()
            oldest = await outbox.oldest(connection)
            OUTBOX_OLDEST.set(0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
            due = await outbox.lock_due(connection, now=now, limit=BATCH_ROWS)
            if not due:
                return 0
            faults.reach("relay.after_lock")
            sent = [
                (message.id, self._publisher.send(message.body, exchange=message.exchange, routing_key=message.routing_key))
                for message in due
            ]
            await asyncio.wait([future for _, future in sent])
            faults.reach("relay.after_publish")
            confirmed = [message_id for message_id, future in sent if future.exception() is None]
            await outbox.remove(connection, confirmed)
            OUTBOX_RELAYED.inc(len(confirmed))
            return len(due)

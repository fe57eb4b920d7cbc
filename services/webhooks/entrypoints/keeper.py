"""The keeper: looks again and again whether days of attempts are to be made or dropped."""

import asyncio
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from services.webhooks.entrypoints import figures
from services.webhooks.handlers.keep_attempts import AttemptKeeper

KEEPING_SECONDS: Final = 600.0
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.keeper")


@dataclass(frozen=True, slots=True)
class Keeper:
    """Runs until cancelled; trouble is tried again at the next look."""

    attempts: AttemptKeeper
    seconds: float
    """Between two looks."""

    async def run(self) -> None:
        """Look at once, and then now and then."""
        while True:
            try:
                made, dropped = await self.attempts.keep()
                figures.KEEPING.labels("done").inc()
                if made or dropped:
                    _log.info("attempts.kept", days_made=made, days_dropped=dropped)
            except _TROUBLE as error:
                figures.KEEPING.labels("failed").inc()
                _log.warning("attempts.not_kept", error=repr(error))
            await asyncio.sleep(self.seconds)

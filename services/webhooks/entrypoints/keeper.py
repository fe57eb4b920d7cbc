"""The keeper: looks again and again whether days of the log or of attempts are to be made or dropped."""

import asyncio
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from services.webhooks.entrypoints import figures
from services.webhooks.handlers.keep_days import DayKeeper

KEEPING_SECONDS: Final = 600.0
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_log = structlog.get_logger("offerhub.keeper")


@dataclass(frozen=True, slots=True)
class Keeper:
    """Runs until cancelled; trouble is tried again at the next look."""

    log: DayKeeper
    attempts: DayKeeper
    seconds: float
    """Between two looks."""

    async def run(self) -> None:
        """Look at once, and then now and then."""
        while True:
            await self._keep("log", self.log)
            await self._keep("attempts", self.attempts)
            await asyncio.sleep(self.seconds)

    async def _keep(self, name: str, keeper: DayKeeper) -> None:
        try:
            made, dropped = await keeper.keep()
            if keeper is self.log:
                figures.OWED.set(await keeper.owed())
            figures.KEEPING.labels("done").inc()
            if made or dropped:
                _log.info("days.kept", of=name, made=made, dropped=dropped)
        except _TROUBLE as error:
            figures.KEEPING.labels("failed").inc()
            _log.warning("days.not_kept", of=name, error=repr(error))

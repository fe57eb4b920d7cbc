"""Keep attempts for so many days: make the days to come, drop those that are over."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final

import asyncpg

from libs.common.kernel.clock import Clock
from services.webhooks.store import attempt_days

DAYS_AHEAD: Final = 7
"""So long nobody need make any; after that attempts wait together until their days are made."""


@dataclass(frozen=True, slots=True)
class AttemptKeeper:
    """Sees to the days of attempts; any number of processes may."""

    pool: asyncpg.Pool
    clock: Clock
    kept_days: int
    """Whole days that are kept before today's, in UTC."""

    async def keep(self) -> tuple[int, int]:
        """Return how many days were made and dropped; each of the two is a transaction, and either may be done again.

        Raises:
            PostgresError: not now; nothing is half done.
        """
        today = self.clock.now().astimezone(UTC).date()
        async with self.pool.acquire() as connection:
            made = await attempt_days.make_days(connection, today=today, ahead=DAYS_AHEAD)
            dropped = await attempt_days.drop_days(connection, before=today - timedelta(days=self.kept_days))
        return made, dropped

"""Keep what lies in days for so many of them: make the days to come, drop those that are over."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final

import asyncpg

from libs.common.kernel.clock import Clock
from services.webhooks.store import days
from services.webhooks.store.days import Days

DAYS_AHEAD: Final = 7
"""So long nobody need make any; after that rows wait together until their days are made."""


@dataclass(frozen=True, slots=True)
class DayKeeper:
    """Sees to the days of one kind; any number of processes may."""

    pool: asyncpg.Pool
    clock: Clock
    of: Days
    kept_days: int
    """Whole days that are kept before today's, in UTC."""

    @property
    def first_kept(self) -> date:
        """The oldest day that is kept."""
        return self._today() - timedelta(days=self.kept_days)

    async def keep(self) -> tuple[int, int]:
        """Return how many days were made and dropped; each of the two is a transaction, and either may be done again.

        Raises:
            PostgresError: not now; nothing is half done.
        """
        first = self.first_kept
        async with self.pool.acquire() as connection:
            made = await days.make_days(connection, self.of, today=self._today(), ahead=DAYS_AHEAD, since=first)
            dropped = await days.drop_days(connection, self.of, before=first)
        return made, dropped

    async def owed(self) -> int:
        """Count the events that outlive their day for deliveries that are not finished."""
        async with self.pool.acquire() as connection:
            return await days.owed(connection, before=self.first_kept)

    def _today(self) -> date:
        return self.clock.now().astimezone(UTC).date()

"""Whether the platform is under maintenance, in Postgres: a row while it is, and it survives every restart."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

_READ: Final = "SELECT message, enabled_at, enabled_by FROM maintenance"
_ENABLE: Final = """
INSERT INTO maintenance (message, enabled_at, enabled_by) VALUES ($1, $2, $3)
ON CONFLICT (is_on) DO UPDATE SET message = excluded.message
RETURNING message, enabled_at, enabled_by
"""
_DISABLE: Final = "DELETE FROM maintenance"


@dataclass(frozen=True, slots=True)
class Pause:
    """A maintenance under way."""

    message: str | None
    enabled_at: datetime
    enabled_by: str


class MaintenanceRow:
    """The `maintenance` table: at most one row."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool

    async def read(self) -> Pause | None:
        """Return the maintenance under way, if there is one."""
        row = await self._pool.fetchrow(_READ)
        return None if row is None else Pause(*row)

    async def enable(self, pause: Pause) -> Pause:
        """Begin one; if one is under way, only its message changes."""
        [row] = await self._pool.fetch(_ENABLE, pause.message, pause.enabled_at, pause.enabled_by)
        return Pause(*row)

    async def disable(self) -> None:
        """End it."""
        await self._pool.execute(_DISABLE)

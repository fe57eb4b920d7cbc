"""Maintenance: reads go on, writes are told to come back. Switched in one process, obeyed by all within a second."""

import asyncio
from collections.abc import Awaitable
from typing import Final

import msgspec
import structlog

from libs.common.contracts.replies.kinds import Instant
from libs.common.kernel.clock import Clock, wire_time
from libs.common.persistence.gathering import TROUBLE
from services.gateway.domain.errors import ApiError
from services.gateway.store.maintenance import MaintenanceRow, Pause

WATCH_SECONDS: Final = 0.4
_RETRY_SECONDS: Final = 30
_log = structlog.get_logger("offerhub.maintenance")


class Maintenance(msgspec.Struct, frozen=True):
    """Whether writes are paused, since when, by whom, and what callers are told."""

    enabled: bool
    message: str | None = None
    enabled_at: Instant | None = None
    enabled_by: str | None = None


class MaintenanceMode:
    """What this process knows of the maintenance, and the switch."""

    def __init__(self, row: MaintenanceRow, clock: Clock) -> None:
        """Keep the state in this row; until `refresh` it is taken to be off."""
        self._row = row
        self._clock = clock
        self._pause: Pause | None = None
        self._turn = asyncio.Lock()
        """Without it a look that began before a switch could end after it, and undo it here for a moment."""

    @property
    def is_on(self) -> bool:
        """Tell whether writes are paused."""
        return self._pause is not None

    def check(self) -> None:
        """Let a write pass.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, there is a maintenance.
        """
        if self._pause is not None:
            message = self._pause.message or "Under maintenance: reads go on, writes come back later"
            raise ApiError("SERVICE_UNAVAILABLE", message, retry_after=_RETRY_SECONDS, maintenance=True)

    def state(self) -> Maintenance:
        """Show what this process knows."""
        pause = self._pause
        if pause is None:
            return Maintenance(enabled=False)
        return Maintenance(
            enabled=True, message=pause.message, enabled_at=wire_time(pause.enabled_at), enabled_by=pause.enabled_by
        )

    async def enable(self, *, message: str | None, by: str) -> Maintenance:
        """Pause writes, or change the message of a pause.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, the database can't be asked now.
        """
        await self._switch(self._row.enable(Pause(message, self._clock.now(), by)))
        return self.state()

    async def disable(self) -> Maintenance:
        """Let writes pass again.

        Raises:
            ApiError: SERVICE_UNAVAILABLE, the database can't be asked now.
        """
        await self._switch(self._row.disable())
        return self.state()

    async def refresh(self) -> None:
        """Learn what another process may have switched.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError: the database can't be asked now; what was known stays.
        """
        async with self._turn:
            self._pause = await self._row.read()

    async def watch(self) -> None:
        """Refresh again and again, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.refresh()
            except TROUBLE as error:
                _log.warning("maintenance.not_read", error=repr(error))

    async def _switch(self, change: Awaitable[Pause | None]) -> None:
        async with self._turn:
            try:
                self._pause = await change
            except TROUBLE as error:
                raise ApiError("SERVICE_UNAVAILABLE", retry_after=1) from error
        _log.warning("maintenance.switched", enabled=self.is_on)

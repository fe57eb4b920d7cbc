"""Makes the steps of replays as they become due."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import structlog
from prometheus_client import Counter as MetricCounter

from services.webhooks.handlers.replay import Replayer

PAUSE_SECONDS_MIN: Final = 0.01
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
STEPS = MetricCounter("offerhub_webhook_replay_steps_total", "Steps of replays that this process made")
_log = structlog.get_logger("offerhub.replays")


@dataclass(frozen=True, slots=True)
class ReplayLoop:
    """Runs until cancelled."""

    replayer: Replayer
    asked: asyncio.Event
    """Set when somebody began or steered a replay."""
    made: asyncio.Event
    """Set by a step, which may have made deliveries."""
    poll_seconds: float

    async def run(self) -> None:
        """Make steps while there are any due; in between wait until the next is, or somebody asks."""
        while True:
            pause = self.poll_seconds
            try:
                stepped = await self.replayer.step()
                while stepped.was_made:
                    STEPS.inc()
                    self.made.set()
                    stepped = await self.replayer.step()
                pause = self._until(stepped.next_at)
            except _TROUBLE as error:
                _log.warning("replay.trouble", error=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.asked.wait()
            self.asked.clear()

    def _until(self, instant: datetime | None) -> float:
        if instant is None:
            return self.poll_seconds
        seconds = (instant - self.replayer.clock.now()).total_seconds()
        return min(max(seconds, PAUSE_SECONDS_MIN), self.poll_seconds)

"""One step of a replay: look at some events, make their deliveries and move the cursor, all in one transaction.

Whoever dies in the middle has done nothing, and the step is made again. A replay makes way for what happens now: few of its
deliveries wait at once, they become due one by one at its rate, and it makes none while others wait for the endpoint.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import new_id
from libs.common.messaging import faults
from libs.common.persistence.rows import Connection
from services.webhooks.domain.replays import EVENTS_AT_ONCE, WINDOW, Only, ReplayState, Step, is_missing, is_wanted, take
from services.webhooks.store import replays
from services.webhooks.store.delivery_rows import ReplayRow

_FULL: Final = timedelta(seconds=0.05)
_IN_THE_WAY: Final = timedelta(seconds=0.25)
_LAST_ONES: Final = timedelta(seconds=1)
_INACTIVE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Stepped:
    """Whether a step was made, and when the next of any replay is due, if that is known."""

    was_made: bool
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replayer:
    """Makes the steps of all replays, beside others in other processes that do the same."""

    pool: asyncpg.Pool
    clock: Clock

    async def step(self) -> Stepped:
        """Make the step that has been due longest."""
        now = self.clock.now()
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                found = await replays.due(connection, now)
                if found is not None:
                    await replays.save(connection, await _stepped(connection, *found, now=now))
            if found is None:
                return Stepped(was_made=False, next_at=await replays.next_due(connection))
        faults.reach("replay.stepped")
        return Stepped(was_made=True)


async def _stepped(connection: Connection, replay: ReplayRow, is_active: bool, *, now: datetime) -> ReplayRow:  # noqa: FBT001 - a fact
    """Return the job as the step leaves it."""
    pending, is_behind = await replays.waiting(connection, replay, now)
    if replay.state == ReplayState.CANCELED:
        await replays.take_back(connection, replay, now)
        return _later(replay, now + _LAST_ONES if pending else None)
    if not is_active:
        return _later(replay, now + _INACTIVE)
    if replay.cursor >= replay.to_position:
        if pending:
            return _later(replay, now + _LAST_ONES)
        return msgspec.structs.replace(replay, state=ReplayState.COMPLETED, next_step_at=None, updated_at=now)
    if pending >= WINDOW or is_behind:
        return _later(replay, now + (_IN_THE_WAY if is_behind else _FULL))
    step = await _next_events(connection, replay, limit=min(WINDOW - pending, replay.per_second))
    made = await _enqueue(connection, replay, step, now)
    faults.reach("replay.enqueued")
    return msgspec.structs.replace(
        replay,
        cursor=step.cursor,
        enqueued=replay.enqueued + made,
        next_step_at=now + timedelta(seconds=len(step.positions) / replay.per_second),
        updated_at=now,
    )


async def _next_events(connection: Connection, replay: ReplayRow, *, limit: int) -> Step:
    seen = await replays.passed(connection, replay, limit=EVENTS_AT_ONCE)
    wanted = [event for event in seen if is_wanted(event, endpoint_id=replay.endpoint_id, filters=replay.events)]
    only = Only(replay.only_those)
    if wanted and only is not Only.ALL:
        states = await replays.states(connection, replay, wanted)
        wanted = [event for event in wanted if is_missing(only, states.get(event.position, ()))]
    return take(seen, [event.position for event in wanted], end=replay.to_position, limit=limit)


async def _enqueue(connection: Connection, replay: ReplayRow, step: Step, now: datetime) -> int:
    if not step.positions:
        return 0
    deliveries = [
        (new_id("whd"), position, now + timedelta(seconds=number / replay.per_second))
        for number, position in enumerate(step.positions)
    ]
    return await replays.enqueue(connection, replay, deliveries, now=now)


def _later(replay: ReplayRow, instant: datetime | None) -> ReplayRow:
    return msgspec.structs.replace(replay, next_step_at=instant)

"""The dispatcher: claims due deliveries, keeps many posts under way at once, and records their outcomes in batches."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from services.webhooks.domain.attempts import Claimed, LaneKey, Outcome
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.domain.lanes import Lane, fed, is_overloaded, room
from services.webhooks.entrypoints import figures
from services.webhooks.handlers.deliver import Courier

DRAIN_SECONDS: Final = 2.0
LANES_KEPT: Final = 1_000
"""Beyond so many endpoints those with nothing under way are forgotten, and start carefully again."""
TROUBLE_PAUSE_SECONDS: Final = 0.5
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = structlog.get_logger("offerhub.dispatcher")


@dataclass(slots=True)
class Dispatcher:
    """Runs until cancelled. At most `concurrency` deliveries are under way in this process."""

    courier: Courier
    wake: asyncio.Event
    """Set by whoever made deliveries; without it they are found within `poll_seconds`."""
    concurrency: int
    tenant_max: int
    """Of those, how many may go to one tenant's endpoints."""
    lane_max: int
    """Of those, how many may go to one endpoint, however well it does."""
    poll_seconds: float
    housekeeping_seconds: float
    _in_flight: dict[tuple[str, str], Claimed] = field(default_factory=dict)
    _lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    _outcomes: list[Outcome] = field(default_factory=list)
    _has_outcomes: asyncio.Event = field(default_factory=asyncio.Event)
    _has_ended: asyncio.Event = field(default_factory=asyncio.Event)
    _fed: frozenset[LaneKey] = frozenset()
    """Lanes to which nothing more was due at the last claim."""

    async def run(self) -> None:
        """Dispatch; when cancelled let what is under way finish for a moment, then give its leases back."""
        try:
            async with asyncio.TaskGroup() as group:
                recorder = group.create_task(self._record_for_ever(), name="delivery recorder")
                group.create_task(self._keep_house(), name="delivery housekeeping")
                try:
                    await self._claim_for_ever(lambda claimed: group.create_task(self._attempt(claimed)))
                except asyncio.CancelledError:
                    await self._drain(recorder)
                    raise
        except asyncio.CancelledError:
            await self._release_all()
            raise

    async def _claim_for_ever(self, start: Callable[[Claimed], object]) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.poll_seconds):
                    await self.wake.wait()
            self.wake.clear()
            try:
                claimed = await self._claim()
            except _TROUBLE as error:
                _log.warning("dispatcher.trouble", error=repr(error))
                await asyncio.sleep(TROUBLE_PAUSE_SECONDS)
                continue
            for item in claimed:
                start(item)

    async def _claim(self) -> list[Claimed]:
        now = asyncio.get_running_loop().time()
        available = room(self._lanes, concurrency=self.concurrency, tenant_max=self.tenant_max, ceiling=self.lane_max, now=now)
        if not available.slots:
            self._fed = frozenset()
            return []
        found = await self.courier.claim(available)
        for item in found.deliveries:
            self._in_flight[item.id, item.token] = item
            lane = self._lane(item.lane)
            lane.cap(min(self.lane_max, item.max_in_flight or self.lane_max))
            lane.started[item.id, item.token] = now
        for scan in found.scans:
            if self._lane(scan.lane).scanned(scan.place, is_cut=scan.is_cut):
                self.wake.set()
        self._fed = fed(available, [item.lane for item in found.deliveries])
        figures.IN_FLIGHT.set(len(self._in_flight))
        return found.deliveries

    def _lane(self, key: LaneKey) -> Lane:
        return self._lanes.setdefault(key, Lane(self.lane_max))

    async def _attempt(self, claimed: Claimed) -> None:
        try:
            with figures.POST_SECONDS.time():
                outcome = await self.courier.attempt(claimed)
        except Exception as error:  # noqa: BLE001 - the edge: one delivery's trouble must not end all others; its lease lapses
            _log.error("delivery.broken", delivery_id=claimed.id, webhook_id=claimed.endpoint_id, error=repr(error))
            self._finish(claimed, is_delivered=False, is_overload=False)
            return
        self._outcomes.append(outcome)
        self._has_outcomes.set()

    async def _record_for_ever(self) -> None:
        while True:
            await self._has_outcomes.wait()
            self._has_outcomes.clear()
            outcomes, self._outcomes = self._outcomes, []
            await self._record(outcomes)

    async def _record(self, outcomes: list[Outcome]) -> None:
        """Record outcomes, through an outage if need be; once their leases are over the deliveries are no longer ours."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.courier.policy.lease.total_seconds()):
                while not await self._was_recorded(outcomes):  # noqa: ASYNC110 - a backoff, there is nothing to be told by
                    await asyncio.sleep(TROUBLE_PAUSE_SECONDS)
        figures.count(outcomes)
        for outcome in outcomes:
            is_delivered = outcome.state == DeliveryState.DELIVERED
            self._finish(outcome.claimed, is_delivered=is_delivered, is_overload=is_overloaded(outcome.status))
            if outcome.claimed.is_gated or outcome.claimed.lane not in self._fed:
                self.wake.set()

    async def _was_recorded(self, outcomes: list[Outcome]) -> bool:
        try:
            await self.courier.record(outcomes)
        except _TROUBLE as error:
            _log.warning("dispatcher.record_trouble", error=repr(error), outcomes=len(outcomes))
            return False
        return True

    def _finish(self, claimed: Claimed, *, is_delivered: bool, is_overload: bool) -> None:
        key = claimed.id, claimed.token
        del self._in_flight[key]
        now = asyncio.get_running_loop().time()
        self._lanes[claimed.lane].end(key, is_delivered=is_delivered, is_overload=is_overload, now=now)
        if len(self._lanes) > LANES_KEPT:
            for name in [name for name, lane in self._lanes.items() if not lane.started]:
                del self._lanes[name]
        figures.IN_FLIGHT.set(len(self._in_flight))
        self._has_ended.set()

    async def _keep_house(self) -> None:
        while True:
            try:
                figures.show(await self.courier.keep_house())
            except _TROUBLE as error:
                _log.warning("dispatcher.housekeeping_trouble", error=repr(error))
            await asyncio.sleep(self.housekeeping_seconds)

    async def _drain(self, recorder: asyncio.Task[None]) -> None:
        """Wait until nothing is under way, unless nothing could be recorded any more."""
        if self.courier.pool.is_closing():
            return
        idle = asyncio.create_task(self._until_idle())
        await asyncio.wait({recorder, idle}, timeout=DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()

    async def _until_idle(self) -> None:
        while self._in_flight:
            self._has_ended.clear()
            await self._has_ended.wait()

    async def _release_all(self) -> None:
        if not self._in_flight or self.courier.pool.is_closing():
            return
        with contextlib.suppress(*_TROUBLE):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.courier.release(list(self._in_flight.values()))

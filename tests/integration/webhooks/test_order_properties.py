"""However processes claim, fail, stall and die and modes change, deliveries keep the order that their endpoint asked for."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.kernel.ids import Tenant, new_id
from services.webhooks.domain.attempts import Claimed, LaneKey
from services.webhooks.domain.lanes import Lane, LaneRoom
from services.webhooks.store import deliveries
from services.webhooks.store.delivery_rows import DeliveryRow
from tests.support.dispatching import LEASE, DueTable, lane_room

pytestmark = pytest.mark.integration
AGGREGATES = ("order:a", "order:b", "order:c")
ATTEMPTS_MAX = 3


@dataclass
class Play:
    """Two processes at one endpoint, and what the test knows of each delivery without asking the database."""

    table: DueTable
    endpoint: str
    mode: str
    max_in_flight: int | None
    rows: dict[str, DeliveryRow] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    under_way: dict[str, datetime] = field(default_factory=dict)
    """Ends of the leases that nobody gave back, by delivery."""
    posted: list[tuple[str, str]] = field(default_factory=list)
    """The mode at the time, and the delivery."""
    held: tuple[list[Claimed], list[Claimed]] = field(default_factory=lambda: ([], []))
    lanes: tuple[Lane, Lane] = field(default_factory=lambda: (Lane(16), Lane(16)))

    def _live(self) -> list[DeliveryRow]:
        return [self.rows[key] for key, ends in self.under_way.items() if ends > self.table.now and key not in self.finished]

    def _waiting_before(self, row: DeliveryRow) -> list[DeliveryRow]:
        unfinished = [other for key, other in self.rows.items() if key not in self.finished]
        return [
            other
            for other in unfinished
            if other.position < row.position and (self.mode == "fifo" or other.aggregate == row.aggregate)
        ]

    async def log(self, names: list[int]) -> None:
        for row in await self.table.log([AGGREGATES[name] for name in names], [self.endpoint]):
            self.rows[row.id] = row

    async def claim(self, process: int, limit: int) -> None:
        lane = self.lanes[process]
        stand: dict[LaneKey, LaneRoom] = {(self.table.tenant, self.endpoint): lane_room(limit=limit, place=lane.place)}
        before = self._live()
        found = await self.table.claim(limit=limit, lanes=stand)
        for scan in found.scans:
            if scan.lane == (self.table.tenant, self.endpoint):
                lane.scanned(scan.place, is_cut=scan.is_cut)
        rows = [self.rows[item.id] for item in found.deliveries]
        assert not {row.id for row in rows} & {row.id for row in before}, "two leases of one delivery"
        if self.mode == "fifo":
            assert len(rows) + len(before) <= 1 or not rows
        if self.mode == "per_aggregate":
            busy = [row.aggregate for row in (*rows, *before)]
            assert all(busy.count(row.aggregate) == 1 for row in rows)
        if self.mode != "parallel":
            assert [self._waiting_before(row) for row in rows] == [[]] * len(rows)
        if self.max_in_flight is not None and rows:
            assert len(rows) + len(before) <= self.max_in_flight
        for item in found.deliveries:
            self.under_way[item.id] = item.lease_until
            self.posted.append((self.mode, item.id))
        self.held[process].extend(found.deliveries)

    async def end(self, process: int, *, is_good: bool, wait: int) -> None:
        if not self.held[process]:
            return
        item = self.held[process].pop(0)
        failed = "PENDING" if item.attempts + 1 < ATTEMPTS_MAX else "EXHAUSTED"
        state = "DELIVERED" if is_good else failed
        is_ours = await self.table.record(item, state, wait=timedelta(seconds=wait))
        if self.under_way.get(item.id) == item.lease_until and is_ours:
            del self.under_way[item.id]
        if is_ours and state != "PENDING":
            self.finished.add(item.id)

    async def die(self, process: int) -> None:
        self.held[process].clear()

    async def stop(self, process: int) -> None:
        await deliveries.release(self.table.owner, self.held[process])
        for item in self.held[process]:
            if self.under_way.get(item.id) == item.lease_until:
                del self.under_way[item.id]
        self.held[process].clear()

    async def switch(self, mode: str) -> None:
        if mode != "parallel" and self.mode == "parallel":
            await self.table.gate(self.endpoint, opens_at=self.table.now + LEASE)
        query = "UPDATE endpoints SET order_mode = $3 WHERE tenant = $1 AND id = $2"
        await self.table.owner.execute(query, self.table.tenant, self.endpoint, mode)
        self.mode = mode

    async def wait(self, seconds: int) -> None:
        self.table.now += timedelta(seconds=seconds)

    async def drain(self) -> None:
        """Let two healthy processes finish; each round moves the clock past every lease and every wait."""
        for _ in range(3 * len(self.rows) + 3):
            if len(self.finished) == len(self.rows):
                return
            await self.wait(40)
            for process in (0, 1):
                await self.claim(process, 4)
                while self.held[process]:
                    await self.end(process, is_good=True, wait=0)
        raise AssertionError([row for key, row in self.rows.items() if key not in self.finished])


processes = st.integers(0, 1)
claims = st.tuples(st.just("claim"), processes, st.integers(1, 4))
ends = st.tuples(st.just("end"), processes, st.booleans(), st.sampled_from([0, 5, 60]))
steps = st.one_of(
    st.tuples(st.just("log"), st.lists(st.integers(0, 2), min_size=1, max_size=4)),
    claims, claims, claims, ends, ends, ends,
    st.tuples(st.just("die"), processes),
    st.tuples(st.just("stop"), processes),
    st.tuples(st.just("switch"), st.sampled_from(["parallel", "per_aggregate", "fifo"])),
    st.tuples(st.just("wait"), st.sampled_from([1, 10, 31])),
)  # fmt: skip


async def _play(owner: asyncpg.Connection, mode: str, cap: int | None, story: list[tuple[Any, ...]]) -> None:
    table = DueTable(owner, Tenant(f"{new_id('req')}:live"))
    limits = {} if cap is None else {"max_in_flight": cap}
    play = Play(table, await table.endpoint(mode, **limits), mode, cap)
    await play.log([0, 1, 0, 2, 1, 0])
    for name, *arguments in story:
        match name:
            case "end":
                await play.end(arguments[0], is_good=arguments[1], wait=arguments[2])
            case _:
                await getattr(play, name)(*arguments)
    for process in (0, 1):
        await play.die(process)
    await play.drain()
    kept = await owner.fetch("SELECT id, state FROM deliveries WHERE tenant = $1", table.tenant)
    assert {row["id"] for row in kept if row["state"] in ("DELIVERED", "EXHAUSTED")} == set(play.rows)
    assert {key for _, key in play.posted} == set(play.rows)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("mode", ["parallel", "per_aggregate", "fifo"])
@given(
    cap=st.sampled_from([None, 1, 3]),
    story=st.lists(steps, min_size=25, max_size=60),
)
async def test_the_order_is_kept_and_all_arrives(
    schema: asyncpg.Connection, mode: str, cap: int | None, story: list[tuple[Any, ...]]
) -> None:
    await _play(schema, mode, cap, story)
    await schema.execute("DELETE FROM deliveries")

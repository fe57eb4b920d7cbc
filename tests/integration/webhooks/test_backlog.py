"""A tenant that brings far more than the others waits by itself, and nothing of it is lost or logged twice."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import asyncpg
import pytest

from libs.common.contracts.envelope import Envelope, encode, frame
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging import faults
from libs.common.messaging.backlog import TURN, Backlog
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.write_path import WritePath
from libs.common.observability.metrics import SET_ASIDE
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration

FRAMES = 6
AGGREGATES = 20
EVENTS_OF_EACH = 30


def _dump(tenant: Tenant) -> list[list[Envelope]]:
    """Six frames of a hundred events, of twenty orders in turns: each order's events lie in several frames."""
    events = [event(tenant, f"order:{name}", number) for number in range(1, EVENTS_OF_EACH + 1) for name in range(AGGREGATES)]
    return [events[place : place + len(events) // FRAMES] for place in range(0, len(events), len(events) // FRAMES)]


async def _log_is_whole(owner: asyncpg.Connection, tenant: Tenant) -> None:
    """Everything is logged once, at positions without a gap, each order's events in their order."""
    count = AGGREGATES * EVENTS_OF_EACH

    async def all_came() -> bool:
        return bool(await owner.fetchval("SELECT count(*) >= $2 FROM webhooks.event_log WHERE tenant = $1", tenant, count))

    await until(all_came)
    rows = await owner.fetch("SELECT position, aggregate, sequence FROM webhooks.event_log WHERE tenant = $1 ORDER BY 1", tenant)
    assert [row["position"] for row in rows] == list(range(1, count + 1))
    for name in range(AGGREGATES):
        assert [row["sequence"] for row in rows if row["aggregate"] == f"order:{name}"] == list(range(1, EVENTS_OF_EACH + 1))


def _aside() -> float:
    return float(SET_ASIDE._value.get())


async def test_a_dump_beside_others_is_set_aside_and_logged_whole(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    dumping, before = Tenant(f"{new_id('req')}:live"), _aside()
    async with running(build(config), config):
        await publish(config, [[event(tenant, "order:a", 1)], *_dump(dumping)])
        await _log_is_whole(owner, dumping)
    assert _aside() - before >= AGGREGATES * EVENTS_OF_EACH / FRAMES


async def test_a_process_that_dies_with_events_set_aside_loses_and_doubles_none(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    """It dies after the backlog's confirm and before the frame is acknowledged: the broker has both."""
    dumping = Tenant(f"{new_id('req')}:live")
    died = die_at("backlog.set_aside", after=2)
    async with running(build(config), config) as first:
        await publish(config, [[event(tenant, "order:a", 1)], *_dump(dumping)])
        await asyncio.wait_for(died.wait(), 60)
        await kill(first)
        faults.clear_traps()
    async with running(build(config), config):
        await _log_is_whole(owner, dumping)


class _Recorded:
    """Stands for the write path, and for the publisher: keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.published: list[bytes] = []

    async def take(self, envelopes: Sequence[Envelope], _: object = ()) -> None:
        self.taken.append(len(envelopes))

    def send_all(self, envelopes: Sequence[bytes], **_: Any) -> asyncio.Future[None]:
        self.published.extend(envelopes)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def test_beside_others_a_crowd_goes_on_in_turns_and_alone_all_at_once(tenant: Tenant) -> None:
    seconds, path = [0.0], _Recorded()
    backlog = Backlog(cast("WritePath", path), cast("Publisher", path), "aside", clock=lambda: seconds[0])
    dumped = [event(tenant, f"order:{number}", 1) for number in range(100)]
    other = frame([encode(event(Tenant("other:live"), "order:a", 1))])
    await backlog.accept(other)
    await backlog.accept(frame([encode(item) for item in dumped]))
    assert (len(path.published), path.taken) == (100, [1, 0])
    path.taken.clear()
    await backlog.accept_aside(frame(path.published))
    assert path.taken == [TURN] * 6 + [100 - 6 * TURN, 0]
    path.taken.clear()
    seconds[0] += 2.0
    await backlog.accept_aside(frame(path.published))
    assert path.taken == [100]


async def test_a_dump_that_nobody_is_beside_waits_nowhere(tenant: Tenant) -> None:
    path = _Recorded()
    backlog = Backlog(cast("WritePath", path), cast("Publisher", path), "aside", clock=lambda: 0.0)
    for events in _dump(tenant):
        await backlog.accept(frame([encode(item) for item in events]))
    assert (path.published, path.taken) == ([], [100] * FRAMES)

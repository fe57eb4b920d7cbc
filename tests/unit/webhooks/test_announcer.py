"""Gateways are told how far a log has come, and what it grew by while that is little."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest

from libs.common.contracts.envelope import Envelope, unframe
from libs.common.contracts.envelope import frame as framed
from libs.common.contracts.notices import LogGrew
from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant
from libs.common.messaging.batch import Decided, Work
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.use_cases import Decision
from libs.common.messaging.worker import Parts
from services.webhooks.entrypoints.announcer import TOLD_BYTES_MAX, Announcer
from services.webhooks.handlers.log_event import LogEvent
from services.webhooks.store.log_rows import EVENT_LOG, EventRow

SHOP, RIVAL = Tenant("shop:live"), Tenant("rival:live")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Ear:
    """A publisher that keeps what it is given, and confirms when told to."""

    def __init__(self) -> None:
        self.topology = Topology("t.")
        self.heard: list[tuple[Tenant, LogGrew]] = []
        self.confirms: list[asyncio.Future[None]] = []

    def send_all(self, envelopes: Sequence[bytes], **_: object) -> asyncio.Future[None]:
        found, _bad = unframe(framed(list(envelopes)))
        self.heard += [(item.tenant, msgspec.json.decode(item.body, type=LogGrew)) for item in found]
        self.confirms.append(asyncio.get_running_loop().create_future())
        return self.confirms[-1]


def logged(tenant: Tenant, position: int, size: int = 10) -> Decided:
    body = b'{"x":"%b"}' % (b"x" * (size - 8))
    row = EventRow(tenant, position, f"evt_{position}", "order.created", "order:a", position, ("usr_1",), body, NOW)
    work = Work(Envelope(f"evt_{position}", "order.created", tenant, msgspec.Raw(b"{}")), None, LogEvent("order.created"))
    return Decided(work, Decision(rows=((EVENT_LOG, row),)))


async def heard(announcer: Announcer, *batches: Sequence[Decided]) -> list[tuple[Tenant, LogGrew]]:
    """Let batches commit while nothing was confirmed yet after the first."""
    ear = Ear()
    parts = Parts(None, cast("Publisher", ear), None, SystemClock(), "own")  # type: ignore[arg-type] # it uses no more
    running = asyncio.create_task(announcer.run(parts))
    for batch in batches:
        announcer.note(batch)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    for confirm in ear.confirms:
        confirm.set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    return ear.heard


async def test_each_tenant_is_told_with_its_events() -> None:
    [first, second] = await heard(Announcer(), [logged(SHOP, 4), logged(RIVAL, 9), logged(SHOP, 5)])
    assert (first[0], first[1].position, [event.position for event in first[1].events]) == (SHOP, 5, [4, 5])
    assert (second[0], second[1].position, second[1].events[0].user_ids) == (RIVAL, 9, ("usr_1",))
    assert bytes(second[1].events[0].body) == b'{"x":"xx"}'


async def test_what_comes_until_the_confirm_is_told_together() -> None:
    found = await heard(Announcer(), [logged(SHOP, 1)], [logged(SHOP, 2)], [logged(SHOP, 3)])
    assert [[event.position for event in notice.events] for _, notice in found] == [[1], [2, 3]]


@pytest.mark.parametrize(("sizes", "are_told"), [((TOLD_BYTES_MAX,), 1), ((TOLD_BYTES_MAX + 1,), 0), ((9_000, 9_000, 10), 0)])
async def test_much_is_only_announced(sizes: Sequence[int], are_told: int) -> None:
    [(_, notice)] = await heard(Announcer(), [logged(SHOP, number, size) for number, size in enumerate(sizes, 1)])
    assert notice.position == len(sizes)
    assert len(notice.events) == are_told


async def test_a_batch_that_logged_nothing_tells_nothing() -> None:
    [work] = [logged(SHOP, 1).work]
    assert await heard(Announcer(), [Decided(work, Decision())]) == []

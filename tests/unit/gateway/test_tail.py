"""The end of a log grows by what is told and by what is asked for, each event once and in order."""

import asyncio
import random
from collections.abc import Iterable

import msgspec
import pytest

from libs.common.contracts.replies.webhooks import StreamedEvent
from libs.common.kernel.ids import Tenant
from services.gateway.domain.streams import Frame, frame
from services.gateway.handlers.event_log import EventLog, Tail

TENANT = Tenant("shop:live")


def told(*positions: int) -> list[StreamedEvent]:
    return [StreamedEvent(position, "order.created", (), msgspec.Raw(b'{"n":%d}' % position)) for position in positions]


class Log(EventLog):
    """A log in memory that counts how often it is asked; until it is `open`, answers wait."""

    def __init__(self) -> None:
        self.head = 0
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def read_now(self, tenant: Tenant, after: int) -> list[Frame]:
        self.asked += 1
        found = [frame(event) for event in told(*range(after + 1, self.head + 1))]
        await self.open.wait()
        return found


def seen(tail: Tail) -> list[int]:
    return [found.position for found in tail.after(0, most=10_000) or ()]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_follows_is_taken_without_asking() -> None:
    log = Log()
    tail = Tail(TENANT, log, 0)
    tail.announce(1, told(1))
    tail.announce(3, told(2, 3))
    tail.announce(3, told(3))
    await settle()
    assert seen(tail) == [1, 2, 3]
    assert log.asked == 0


@pytest.mark.parametrize("events", [(), (3, 4), (1, 2, 4), (2, 1, 3, 4)], ids=["none", "later ones", "a gap", "disorder"])
async def test_what_does_not_follow_is_asked_for(events: Iterable[int]) -> None:
    log = Log()
    log.head = 4
    tail = Tail(TENANT, log, 0)
    tail.announce(4, told(*events))
    await settle()
    assert seen(tail) == [1, 2, 3, 4]
    assert log.asked


async def test_an_answer_that_brings_what_was_told_meanwhile_brings_it_once() -> None:
    log = Log()
    log.head = 2
    log.open.clear()
    tail = Tail(TENANT, log, 0)
    tail.announce(2)
    await settle()
    tail.announce(3, told(1, 2, 3))
    log.open.set()
    await settle()
    assert seen(tail) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(50))
async def test_whatever_is_lost_late_or_doubled(seed: int) -> None:
    dice = random.Random(seed)
    log = Log()
    tail = Tail(TENANT, log, 0)
    grown: list[list[Frame]] = []
    tail.followers.add(lambda: grown.append(list(tail.after(0, most=10_000) or ())))
    for _ in range(40):
        log.head += dice.randint(1, 3)
        if dice.random() < 0.7:
            first = max(1, log.head - dice.randint(0, 4))
            tail.announce(log.head, told(*range(first, log.head + 1)) if dice.random() < 0.8 else ())
        if dice.random() < 0.3:
            log.open.clear() if log.open.is_set() else log.open.set()
        if dice.random() < 0.5:
            await settle()
    log.open.set()
    tail.announce(log.head)
    await settle()
    assert seen(tail) == list(range(1, log.head + 1))
    assert all([found.position for found in frames] == list(range(1, len(frames) + 1)) for frames in grown)

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.clients.counters import LocalCounter
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import Fate, fate
from services.gateway.domain.limits import Hit, Quota, Rule, tightest

FIVE = Rule("five", 5, seconds=60)
TWO = Rule("two", 2, seconds=60)
ANA, BEN = Hit(FIVE, "ana"), Hit(FIVE, "ben")


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_window_begins_with_its_first_request_and_ends_after_its_length(clock: Clock) -> None:
    counter = LocalCounter(clock)
    told = []
    for seconds in (0.0, 30.0, 29.5, 0.5, 0.0):
        clock.at += seconds
        told += await counter.count([ANA], cost=1)
    assert told == [(1, 60.0), (2, 30.0), (3, 0.5), (1, 60.0), (2, 60.0)]


async def test_nobody_is_counted_for_another(clock: Clock) -> None:
    counter = LocalCounter(clock)
    await counter.count([ANA], cost=1)
    assert await counter.count([BEN, Hit(TWO, "ana")], cost=1) == [(1, 60.0), (1, 60.0)]


async def test_looking_counts_nothing_and_begins_no_window(clock: Clock) -> None:
    counter = LocalCounter(clock)
    assert await counter.count([ANA], cost=0) == [(0, 60.0)]
    clock.at += 10
    assert await counter.count([ANA], cost=1) == [(1, 60.0)]
    clock.at += 10
    assert await counter.count([ANA], cost=0) == [(1, 50.0)]


async def test_a_request_refused_by_one_rule_is_not_counted_under_the_next(clock: Clock) -> None:
    counter = LocalCounter(clock)
    first, second = Hit(TWO, "key"), Hit(FIVE, "user")
    told = [await counter.count([first, second], cost=1) for _ in range(4)]
    assert [[count for count, _ in both] for both in told] == [[1, 1], [2, 2], [3, 2], [4, 2]]


async def test_strangers_do_not_fill_the_memory(clock: Clock) -> None:
    counter = LocalCounter(clock, windows_max=100)
    for number in range(1_000):
        clock.at += 0.001
        await counter.count([Hit(FIVE, f"ip:{number}")], cost=1)
    windows = counter._windows["five"]
    assert len(windows) <= 100
    assert "ip:999" in windows
    clock.at += 61
    for number in range(100):
        await counter.count([Hit(FIVE, f"late:{number}")], cost=1)
    assert all(whose.startswith("late") for whose in windows)


@given(st.lists(st.floats(min_value=0, max_value=40), max_size=60))
async def test_in_no_window_are_more_admitted_than_the_rule_allows(waits: list[float]) -> None:
    clock = Clock()
    counter = LocalCounter(clock)
    admitted: list[float] = []
    begins = -1e9
    for seconds in waits:
        clock.at += seconds
        if clock.at >= begins + FIVE.seconds:
            begins = clock.at
        [(count, left)] = await counter.count([ANA], cost=1)
        assert left == pytest.approx(begins + FIVE.seconds - clock.at)
        if count <= FIVE.amount:
            admitted.append(begins)
    assert all(admitted.count(begin) <= FIVE.amount for begin in admitted)


@pytest.mark.parametrize(
    ("quotas", "chosen"),
    [
        ([(FIVE, 1, 60.0), (TWO, 1, 10.0)], 1),
        ([(FIVE, 4, 60.0), (TWO, 0, 10.0)], 0),
        ([(FIVE, 6, 5.0), (TWO, 2, 60.0)], 0),
        ([(FIVE, 5, 5.0), (TWO, 3, 60.0)], 1),
        ([(FIVE, 4, 5.0), (TWO, 1, 60.0)], 1),
        ([(FIVE, 6, 5.0), (TWO, 3, 60.0)], 1),
    ],
)
def test_the_headers_show_the_limit_that_is_nearer(quotas: list[tuple[Rule, int, float]], chosen: int) -> None:
    made = [Quota(rule, count, left, 1_700_000_000.0 + left) for rule, count, left in quotas]
    assert tightest(made) is made[chosen]


@pytest.mark.parametrize(("left", "said"), [(60.0, 60), (59.001, 60), (0.2, 1), (0.0, 1), (-0.1, 1)])
def test_whoever_waits_as_long_as_it_is_told_finds_the_window_over(left: float, said: int) -> None:
    quota = Quota(FIVE, 6, left, 1_700_000_000.25)
    assert (quota.retry_after, quota.reset, quota.remaining, quota.is_exceeded) == (said, 1_700_000_001, 0, True)


@pytest.mark.parametrize(("fresh", "ending"), [(True, Fate.UNDO), (False, Fate.HOLD)])
def test_a_refused_attempt_frees_its_key_unless_an_earlier_one_may_have_done_something(fresh: bool, ending: Fate) -> None:  # noqa: FBT001
    assert fate(Answer(429, b"", "RATE_LIMITED", retryable=True), fresh=fresh) is ending


def test_a_minute_is_a_minute() -> None:
    assert timedelta(seconds=Rule("any", 1).seconds) == timedelta(minutes=1)

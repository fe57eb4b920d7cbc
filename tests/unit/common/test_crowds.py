"""Who is a crowd, whom it lets go first, and how much of a process is left to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.kernel.ids import Tenant
from libs.common.messaging.crowds import (
    CALM_SECONDS,
    PATIENCE_SECONDS,
    PAUSE_SECONDS_MAX,
    SAVED_SECONDS_MAX,
    SHARE,
    Crowds,
    Pace,
)

BIG, SMALL, OTHER = Tenant("big"), Tenant("small"), Tenant("other")


@dataclass
class Now:
    """A clock that is turned by hand."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def crowds(now: Now, *arrivals: tuple[Tenant, int]) -> Crowds:
    made = Crowds(now)
    made.note_arrivals(dict(arrivals))
    return made


@pytest.mark.parametrize(
    ("big", "others", "is_one"),
    [
        (2_000, [5] * 40, True),
        (1_000_000, [], False),
        (100, [1], True),
        (99, [1], False),
        (800, [100], False),
        (801, [100], True),
        (600, [600, 600], False),
        (900, [1_000, 10], False),
    ],
    ids=["a dump", "nobody else", "enough", "too few", "eight times", "more than that", "equals", "beside a larger one"],
)
def test_a_crowd_brings_far_more_than_the_mean_of_the_others(big: int, others: Sequence[int], *, is_one: bool) -> None:
    counted = crowds(Now(), (BIG, big), *((Tenant(f"t{place}"), count) for place, count in enumerate(others)))
    assert counted.is_crowd(BIG) == is_one


@pytest.mark.parametrize(("seconds", "is_one"), [(0.9, True), (1.5, True), (2.5, False), (60.0, False)])
def test_what_was_brought_is_forgotten_after_two_windows(seconds: float, *, is_one: bool) -> None:
    now = Now()
    counted = crowds(now, (BIG, 1_000), (SMALL, 1))
    now.seconds += seconds
    counted.note_arrivals({SMALL: 1})
    assert counted.is_crowd(BIG) == is_one


def test_while_some_of_a_tenant_is_aside_all_that_comes_goes_behind_it() -> None:
    now = Now()
    counted = crowds(now, (SMALL, 1))
    counted.note_aside({BIG})
    counted.note_arrivals({BIG: 1})
    assert counted.is_crowd(BIG)
    assert not counted.is_crowd(SMALL)
    now.seconds += 1.0
    assert not counted.is_crowd(BIG)


def test_a_crowd_waits_only_while_others_are_about() -> None:
    now = Now()
    counted = crowds(now, (BIG, 1_000), (SMALL, 1))
    counted.note_aside({BIG})
    assert counted.must_wait({BIG})
    now.seconds += 2.0
    assert not counted.must_wait({BIG})
    counted.note_arrivals({BIG: 10})
    assert not counted.must_wait({BIG})
    counted.note_arrivals({SMALL: 1})
    assert counted.must_wait({BIG})


def test_crowds_do_not_wait_for_each_other() -> None:
    counted = crowds(Now(), (BIG, 1_000), (OTHER, 1_000))
    counted.note_aside({BIG, OTHER})
    assert not counted.must_wait({BIG})


def test_who_brings_much_for_long_is_no_crowd_until_a_calm() -> None:
    now = Now()
    counted = crowds(now)
    ends = now.seconds + PATIENCE_SECONDS
    while now.seconds < ends:
        counted.note_arrivals({BIG: 1_000, SMALL: 1})
        assert counted.is_crowd(BIG)
        counted.note_aside({BIG})
        assert counted.must_wait({BIG})
        now.seconds += 0.5
    counted.note_arrivals({BIG: 1_000, SMALL: 1})
    assert not counted.is_crowd(BIG)
    assert not counted.must_wait({BIG})
    now.seconds += CALM_SECONDS
    counted.note_arrivals({BIG: 1_000, SMALL: 1})
    assert counted.is_crowd(BIG)


@given(costs=st.lists(st.floats(min_value=0, max_value=0.05), min_size=1, max_size=200))
def test_a_process_that_keeps_the_pace_is_busy_for_its_share_of_the_time(costs: Sequence[float]) -> None:
    """However turns differ: over any run of them the share is kept, but for what was saved up and the last turn's cost."""
    now, used = Now(), Now(0.0)
    pace, began, spent = Pace(now, used), now.seconds, 0.0
    for cost in costs:
        pause = pace.pause_seconds()
        assert 0.0 <= pause <= PAUSE_SECONDS_MAX
        now.seconds += pause
        assert spent <= (now.seconds - began) * SHARE + SAVED_SECONDS_MAX + 1e-6
        now.seconds += cost
        used.seconds += cost
        spent += cost


def test_a_process_that_is_busy_with_others_still_gives_a_crowd_its_turns() -> None:
    now, used = Now(), Now(0.0)
    pace = Pace(now, used)
    for _ in range(10):
        now.seconds += 1.0
        used.seconds += 1.0
        assert pace.pause_seconds() == pytest.approx(PAUSE_SECONDS_MAX)
    now.seconds += 1.0
    assert pace.pause_seconds() == 0.0

"""What an endpoint's counts tell of its health."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain.health import (
    DAY,
    HOUR,
    SLOT,
    BreakerState,
    Slot,
    breaker_state,
    bucket_of,
    drain_seconds,
    longest_in,
    summarize,
)
from services.webhooks.domain.lanes import Breaker

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BREAKER = Breaker(failures=10, park_seconds=5, disable_seconds=432_000)


@given(st.integers(0, 60_000))
def test_a_time_is_shown_too_long_by_less_than_half(duration_ms: int) -> None:
    shown = longest_in(bucket_of(duration_ms))
    assert duration_ms <= shown <= max(duration_ms, 1) * 1.4143


def test_percentiles_are_those_of_the_times() -> None:
    times = [10] * 98 + [1_000, 5_000]
    slots = [Slot(NOW - SLOT, bucket_of(time), 1, 0, 1) for time in times]
    summary = summarize(slots, NOW)
    assert summary.p50_ms is not None
    assert summary.p99_ms is not None
    assert 10 <= summary.p50_ms <= 14
    assert 1_000 <= summary.p99_ms <= 1_414


def test_what_was_not_answered_has_no_time() -> None:
    summary = summarize([Slot(NOW - SLOT, bucket_of(10_000), 0, 7, 0)], NOW)
    assert (summary.p50_ms, summary.p99_ms, summary.failed_hour, summary.best_per_second) == (None, None, 7, 0.0)


def test_an_hour_and_a_day_are_counted_apart() -> None:
    ages = (timedelta(minutes=1), HOUR - SLOT, HOUR + 2 * SLOT, DAY - SLOT, DAY + 2 * SLOT)
    slots = [Slot(NOW - age, 5, 10**number, 2 * 10**number, 10**number) for number, age in enumerate(ages)]
    summary = summarize(slots, NOW)
    assert (summary.delivered_hour, summary.failed_hour) == (11, 22)
    assert (summary.delivered_day, summary.failed_day) == (1_111, 2_222)
    assert summary.best_per_second == 10 / 300


@pytest.mark.parametrize(("backlog", "pace", "seconds"), [(0, 0.0, 0), (0, 5.0, 0), (10, 0.0, None), (10, 4.0, 3)])
def test_a_backlog_drains_at_the_best_pace_of_late(backlog: int, pace: float, seconds: int | None) -> None:
    assert drain_seconds(backlog, pace) == seconds


@pytest.mark.parametrize(
    ("failures", "parked_for", "state"),
    [
        (0, None, BreakerState.CLOSED),
        (9, None, BreakerState.CLOSED),
        (10, 1, BreakerState.OPEN),
        (10, 0, BreakerState.PROBING),
        (10, -1, BreakerState.PROBING),
        (1, 60, BreakerState.OPEN),
        (1, -1, BreakerState.CLOSED),
    ],
)
def test_the_breaker_is_open_while_its_lane_is_parked(failures: int, parked_for: int | None, state: BreakerState) -> None:
    until = None if parked_for is None else NOW + timedelta(seconds=parked_for)
    assert breaker_state(failures=failures, parked_until=until, now=NOW, breaker=BREAKER) is state

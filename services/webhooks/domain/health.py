"""How an endpoint does: its breaker, its backlog, and what the counts of its attempts tell."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from services.webhooks.domain.lanes import Breaker

SLOT: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(hours=24)
KEPT: Final = DAY + HOUR
BACKLOG_COUNTED: Final = 10_000
"""A longer backlog is only said to be longer."""
_BUCKETS_MAX: Final = 40


class BreakerState(StrEnum):
    """What the breaker of an endpoint does."""

    CLOSED = "CLOSED"
    """Deliveries go out."""
    OPEN = "OPEN"
    """The backlog is parked until the next probe."""
    PROBING = "PROBING"
    """One delivery at a time goes out, to see."""


class Slot(NamedTuple):
    """Five minutes of attempts whose answers took about equally long."""

    begins_at: datetime
    bucket: int
    delivered: int
    failed: int
    answered: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What counts of a day tell; times are milliseconds, and None when nothing was answered for an hour."""

    delivered_hour: int
    failed_hour: int
    delivered_day: int
    failed_day: int
    p50_ms: int | None
    p99_ms: int | None
    best_per_second: float
    """Deliveries in the best five minutes of the last hour."""


def bucket_of(duration_ms: int) -> int:
    """Put a time among its like: the upper ends of two neighbouring buckets differ by the square root of two."""
    return min(math.ceil(2 * math.log2(max(duration_ms, 1))), _BUCKETS_MAX)


def longest_in(bucket: int) -> int:
    """Return the longest time of a bucket, in milliseconds."""
    return math.floor(2 ** (bucket / 2))


def breaker_state(*, failures: int, parked_until: datetime | None, now: datetime, breaker: Breaker) -> BreakerState:
    """Tell what the breaker does; a receiver that asked to be left alone opens it too."""
    if parked_until is not None and parked_until > now:
        return BreakerState.OPEN
    return BreakerState.PROBING if failures >= breaker.failures else BreakerState.CLOSED


def summarize(slots: Iterable[Slot], now: datetime) -> Summary:
    """Sum up the counts of the last day; the oldest five minutes of an hour and a day count whole."""
    day = [slot for slot in slots if slot.begins_at > now - DAY - SLOT]
    hour = [slot for slot in day if slot.begins_at > now - HOUR - SLOT]
    pace: dict[datetime, int] = {}
    for slot in hour:
        pace[slot.begins_at] = pace.get(slot.begins_at, 0) + slot.delivered
    return Summary(
        delivered_hour=sum(slot.delivered for slot in hour),
        failed_hour=sum(slot.failed for slot in hour),
        delivered_day=sum(slot.delivered for slot in day),
        failed_day=sum(slot.failed for slot in day),
        p50_ms=_percentile(hour, 0.5),
        p99_ms=_percentile(hour, 0.99),
        best_per_second=max(pace.values(), default=0) / SLOT.total_seconds(),
    )


def drain_seconds(backlog: int, best_per_second: float) -> int | None:
    """Estimate how long a backlog takes at the best pace of late; None when there was none."""
    if backlog == 0:
        return 0
    return math.ceil(backlog / best_per_second) if best_per_second > 0 else None


def _percentile(slots: Iterable[Slot], share: float) -> int | None:
    by_time = sorted((slot.bucket, slot.answered) for slot in slots if slot.answered)
    left = math.ceil(share * sum(count for _, count in by_time))
    for bucket, count in by_time:
        left -= count
        if left <= 0:
            return longest_in(bucket)
    return None

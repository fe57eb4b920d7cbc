"""An endpoint's lane: how much of a process it may have, and when its backlog is parked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from services.webhooks.domain.attempts import LaneKey

START: Final = 4
"""Deliveries under way at once to an endpoint of which nothing is known."""
SLOW_SECONDS: Final = 1.0
"""Whoever lets a delivery wait longer than this has no claim to the slots that are kept for the quick."""
PARK_SECONDS_MAX: Final = 300.0
RETRY_AFTER_MAX: Final = 86_400.0
LANE_STATES: Final = ("open", "probing", "parked", "inactive")
"""What becomes of an endpoint's deliveries: sent; one by one, as its breaker is open; not now; not while it is not active."""
_BUSY: Final = frozenset({429, 502, 503, 504})
_ASKING: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Breaker:
    """After `failures` in a row a lane is parked, for `park_seconds` at first, doubled with each probe that fails.

    A lane that has failed for `disable_seconds` on end ends as an endpoint that is not active.
    """

    failures: int
    park_seconds: float
    disable_seconds: float


def retry_after(status: int | None, header: str | None, now: datetime) -> float:
    """Return the seconds that a receiver asked us to wait, from 0 to a day: a number or a date (RFC 9110, 10.2.3)."""
    if status not in _ASKING or not header:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_MAX)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return 0.0
    wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return min(max(wait.total_seconds(), 0.0), RETRY_AFTER_MAX)


def is_overloaded(status: int | None) -> bool:
    """Tell whether an attempt, answered so or not at all, says that fewer at once would be better."""
    return status is None or status in _BUSY


@dataclass(slots=True)
class Lane:
    """What one process knows of an endpoint: additive increase, multiplicative decrease, between 1 and the ceiling.

    It is TCP's congestion avoidance (RFC 5681, 3.1): one more per round that goes well and quickly, half as many after each sign
    of overload.
    """

    ceiling: int
    limit: float = 0.0
    is_proven: bool = False
    """Its last answer was a good one."""
    is_known: bool = False
    """It has answered, or failed to."""
    place: str = ""
    """Up to which of its aggregates it was looked at, when its deliveries are ordered by aggregate."""
    is_whole_lap: bool = True
    """The look at its aggregates that is going on began with the first of them."""
    started: dict[tuple[str, str], float] = field(default_factory=dict)
    """When each delivery under way began, in seconds of the loop's clock, by (id, token)."""

    def __post_init__(self) -> None:
        """Start carefully."""
        self.limit = float(min(START, self.ceiling))

    def cap(self, ceiling: int) -> None:
        """Stay within another ceiling from now on."""
        self.ceiling = ceiling
        self.limit = min(self.limit, float(ceiling))

    def scanned(self, place: str, *, is_cut: bool) -> bool:
        """Note how far its aggregates were looked at, and tell whether to look on at once.

        A look that began midway goes round once more from the first, so that nothing due is left for the next poll.
        """
        self.place = place
        if is_cut:
            return True
        is_whole, self.is_whole_lap = self.is_whole_lap, not place
        return not place and not is_whole

    def end(self, key: tuple[str, str], *, is_delivered: bool, is_overload: bool, now: float) -> None:
        """Learn from an attempt that ended."""
        is_quick = now - self.started.pop(key) < SLOW_SECONDS
        self.is_known, self.is_proven = True, is_delivered
        if is_delivered and is_quick:
            self.limit = min(self.limit + 1.0 / self.limit, float(self.ceiling))
        elif is_overload:
            self.limit = max(self.limit / 2.0, 1.0)

    def has_claim(self, now: float) -> bool:
        """Tell whether it may have of the slots that are kept for those who answer, and answer quickly."""
        return self.is_proven and all(now - started < SLOW_SECONDS for started in self.started.values())


@dataclass(frozen=True, slots=True)
class LaneSum:
    """The lanes in one state that have work, and when the first of it is due."""

    state: str
    lanes: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """What a process has to give: slots in all, of those the ones anybody may have, and how its lanes stand.

    `new_slots` are for the first delivery to an endpoint of which nothing is known; the open ones are among them.
    """

    slots: int
    open_slots: int
    new_slots: int
    lanes: Mapping[LaneKey, "LaneRoom"]
    default: int
    tenant_max: int
    """Under way at once to one tenant's endpoints."""


@dataclass(frozen=True, slots=True)
class LaneRoom:
    """One lane's limit, how many deliveries of it are under way, and whether it may have more than the open slots."""

    limit: int
    busy: int
    is_quick: bool
    is_known: bool
    """It has answered, or failed to."""
    place: str
    """Where to go on looking at its aggregates."""


def fed(given: Room, claimed: Sequence[LaneKey]) -> frozenset[LaneKey]:
    """Name the lanes that took less than they had room for: nothing more is due to them until something new is.

    Only of those that may have any slot is it known what held them back.
    """
    if len(claimed) >= given.slots:
        return frozenset()
    taken, tenants = Counter(claimed), Counter(tenant for tenant, _ in claimed)
    for (tenant, _), lane in given.lanes.items():
        tenants[tenant] += lane.busy
    return frozenset(
        key
        for key, lane in given.lanes.items()
        if lane.is_quick and lane.busy + taken[key] < lane.limit and tenants[key[0]] < given.tenant_max
    )


def room(lanes: Mapping[LaneKey, Lane], *, concurrency: int, tenant_max: int, ceiling: int, now: float) -> Room:
    """Share a process out; a quarter of its slots is kept for lanes whose endpoints answer, another for first deliveries."""
    stand = {
        key: LaneRoom(int(lane.limit), len(lane.started), lane.has_claim(now), lane.is_known, lane.place)
        for key, lane in lanes.items()
    }
    busy = sum(lane.busy for lane in stand.values())
    slow = sum(lane.busy for lane in stand.values() if not lane.is_quick)
    slots = max(concurrency - busy, 0)
    quarter = concurrency // 4
    new_slots = min(max(concurrency - quarter - slow, 0), slots)
    open_slots = min(max(concurrency - 2 * quarter - slow, 0), slots)
    return Room(slots, open_slots, new_slots, stand, min(START, ceiling), tenant_max)

"""Replays: which events one sends again, how many at once, and what each step leads to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from libs.common.contracts.event_filters import asks_for
from libs.common.kernel.transitions import Transitions
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.domain.event_filters import wants

PER_SECOND_MAX: Final = 1_000
REPLAYS_KEPT: Final = 50
"""Of one endpoint; beyond that the oldest that has ended is forgotten."""
WINDOW: Final = 100
"""So many deliveries of a replay may wait at once: what happens now waits behind no more of them."""
EVENTS_AT_ONCE: Final = 1_000
"""So many events of the log one step looks at."""


class ReplayState(StrEnum):
    """Where a replay stands."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    """All of it has been delivered or given up."""
    CANCELED = "CANCELED"


class ReplayAction(StrEnum):
    """What happens to a replay."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    COMPLETE = "complete"


REPLAYS: Final = Transitions(
    ReplayState.RUNNING,
    {
        (ReplayState.RUNNING, ReplayAction.PAUSE): ReplayState.PAUSED,
        (ReplayState.PAUSED, ReplayAction.RESUME): ReplayState.RUNNING,
        (ReplayState.RUNNING, ReplayAction.CANCEL): ReplayState.CANCELED,
        (ReplayState.PAUSED, ReplayAction.CANCEL): ReplayState.CANCELED,
        (ReplayState.RUNNING, ReplayAction.COMPLETE): ReplayState.COMPLETED,
    },
)
UNFINISHED: Final = frozenset({ReplayState.RUNNING, ReplayState.PAUSED})


class Only(StrEnum):
    """Which events of its part of the log a replay sends."""

    ALL = "all"
    FAILED = "failed"
    """Those that were given up, and have not arrived since."""
    UNDELIVERED = "undelivered"
    """Those that have neither arrived nor are on their way, whether or not they were ever sent."""


class Passed(NamedTuple):
    """An event of the log as a replay comes by it."""

    position: int
    type: str
    aggregate: str
    logged_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """The events that go out now, and the position up to which all have been looked at."""

    positions: tuple[int, ...]
    cursor: int


def is_wanted(event: Passed, *, endpoint_id: str, filters: tuple[str, ...]) -> bool:
    """Tell whether a replay sends this event: it asks for it, and the endpoint could have got it."""
    could = wants(endpoint_id=endpoint_id, filters=filters, event_type=event.type, aggregate=event.aggregate)
    return could and asks_for(filters, event.type)


def is_missing(only: Only, states: Collection[str]) -> bool:
    """Tell by the states of all deliveries of an event to the endpoint whether it is among those to send."""
    if only is Only.ALL:
        return True
    if DeliveryState.DELIVERED in states or DeliveryState.PENDING in states:
        return False
    return only is Only.UNDELIVERED or DeliveryState.EXHAUSTED in states


def take(seen: Sequence[Passed], wanted: Iterable[int], *, end: int, limit: int) -> Step:
    """Take the first `limit` of the wanted positions; `seen` follows the cursor without a gap, `end` is the last position.

    What is wanted beyond the limit is looked at again by the next step.
    """
    positions = sorted(wanted)
    if len(positions) > limit:
        return Step(tuple(positions[:limit]), positions[limit] - 1)
    return Step(tuple(positions), seen[-1].position if seen and len(seen) == EVENTS_AT_ONCE else end)


def remaining(*, from_position: int, to_position: int, cursor: int, enqueued: int, pending: int) -> int:
    """Estimate the deliveries that are still to come about, from what the part that was looked at has had."""
    left, looked_at = to_position - cursor, cursor - from_position + 1
    share = enqueued / looked_at if looked_at > 0 else 1.0
    return pending + round(left * share)

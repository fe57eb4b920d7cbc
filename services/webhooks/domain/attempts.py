"""A delivery under lease, and how an attempt of it ended."""

from dataclasses import dataclass
from datetime import datetime

LaneKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under our lease, with what its next attempt needs."""

    tenant: str
    endpoint_id: str
    id: str
    attempts: int
    url: str
    sealed_secrets: tuple[bytes, ...]
    """Those that sign, the first of them first."""
    event_id: str
    event_type: str
    body: bytes
    token: str

    @property
    def lane(self) -> LaneKey:
        """The endpoint it goes to."""
        return self.tenant, self.endpoint_id


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording a batch did: the (tenant, id) of deliveries that were still ours, and since when their lanes fail."""

    ours: frozenset[tuple[str, str]]
    failing: dict[LaneKey, datetime]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, and where that leaves the delivery; `next_attempt_at` is None when there is none."""

    claimed: Claimed
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    response: bytes
    state: str
    next_attempt_at: datetime | None
    is_gone: bool
    parked_until: datetime | None = None
    """The receiver asked to be left alone until then."""

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
    sealed_secret: bytes
    event_id: str
    event_type: str
    body: bytes
    token: str

    @property
    def lane(self) -> LaneKey:
        """The endpoint it goes to."""
        return self.tenant, self.endpoint_id


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

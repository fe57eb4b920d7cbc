"""A delivery under lease, and how an attempt of it ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

LaneKey = tuple[str, str]
ANSWER_BYTES_KEPT: Final = 1_024
"""Of an answer's body."""


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
    lease_until: datetime
    aggregate: str
    secret_numbers: tuple[int, ...] = ()
    """Which of the endpoint's secrets those are, in their order."""
    base_attempts: int = 0
    """Of the attempts, those before it was sent again: the schedule begins anew after them."""
    max_in_flight: int | None = None
    """What the endpoint limits it to."""
    is_verified: bool = True
    """Its receiver has shown that it wants our deliveries, so it is not asked any more."""
    is_gated: bool = False
    """What its endpoint has under way is counted at a gate: when this one ends another may go."""

    @property
    def lane(self) -> LaneKey:
        """The endpoint it goes to."""
        return self.tenant, self.endpoint_id


@dataclass(frozen=True, slots=True)
class Scan:
    """How far the aggregates of a lane were looked at: up to `place`, or all when that is empty.

    With `is_cut` there may be more that is due.
    """

    lane: LaneKey
    place: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """What a claim got."""

    deliveries: list[Claimed]
    scans: list[Scan]


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
    """The first bytes of the answer's body."""
    state: str
    next_attempt_at: datetime | None
    is_gone: bool
    parked_until: datetime | None = None
    """The receiver asked to be left alone until then."""
    connect_ms: int | None = None
    """How long connecting took, with the look-up of the name and TLS; None on a connection that was there, or that failed."""
    signature: str = ""
    """The `webhook-signature` header as it was sent."""
    is_proof: bool = False
    """It was delivered, and the receiver repeated the challenge."""


def as_text(answer: bytes) -> str:
    """Show bytes that somebody else chose: UTF-8 where it is, and U+FFFD for what is not or can't be printed."""
    text = answer.decode("utf-8", errors="replace")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text.replace("\r\n", "\n"))


def error_class(error: str | None) -> str | None:
    """Name the kind of trouble that kept an answer away: timeout, dns, tls, connection, protocol, url or address."""
    return None if error is None else error.partition(":")[0]

"""What webhooks answers, in the public form."""

from typing import Annotated, Literal

import msgspec

from libs.common.contracts.replies.kinds import DeliveryId, EventId, EventType, Instant, ReplayId, Url, WebhookId, one_of

DeliveryState = Literal["PENDING", "DELIVERED", "EXHAUSTED", "CANCELED"]
ErrorClass = Literal["timeout", "dns", "tls", "connection", "protocol", "url", "address"]
"""What kept an answer away."""
ReplayState = Literal["RUNNING", "PAUSED", "COMPLETED", "CANCELED"]
BreakerState = Literal["CLOSED", "OPEN", "PROBING"]
ReplayOnly = Literal["all", "failed", "undelivered"]
OrderMode = Literal["parallel", "per_aggregate", "fifo"]


class Endpoint(msgspec.Struct, frozen=True):
    """A registered URL; never its secret, for replies are stored."""

    id: WebhookId
    url: Url
    events: tuple[str, ...]
    active: bool
    description: str | None
    created_at: Instant
    updated_at: Instant
    order_mode: Annotated[str, one_of(OrderMode)]
    """Whether deliveries go out as they come, one at a time of each aggregate, or one at a time of all."""
    max_in_flight: int | None
    """At most so many deliveries under way at once."""
    max_per_second: int | None
    """At most so many deliveries begun in a second."""
    verified_at: Instant | None
    """Since then the URL is known to want deliveries: it has repeated the challenge of one. Another URL has to show it anew."""


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to an endpoint: PENDING, DELIVERED, EXHAUSTED, or CANCELED because the endpoint was deleted."""

    id: DeliveryId
    endpoint_id: WebhookId
    event_id: EventId
    event_type: EventType
    state: Annotated[str, one_of(DeliveryState)]
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: Instant | None
    created_at: Instant
    replay_id: ReplayId | None
    """The replay that made it; null for what was sent as it happened."""


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """One post of a delivery. There is either a status or an error, which begins with its class."""

    number: int
    """1, 2, 3 … as in `X-OfferHub-Attempt`."""
    url: Url | None
    """Where it went; null for attempts of before this was kept."""
    started_at: Instant
    duration_ms: int
    connect_ms: int | None
    """Of that, what the look-up of the name, connecting and TLS took; null when a connection was there, or none came about."""
    status: int | None
    error: str | None
    error_class: Annotated[str, one_of(ErrorClass)] | None
    response: str
    """The first KiB of the answer's body as text; what can't be shown is U+FFFD."""


class DeliveryWithAttempts(Delivery, frozen=True):
    """A delivery and the last hundred of its attempts, the first of them first."""

    attempt_log: tuple[DeliveryAttempt, ...]


class EventEvidence(msgspec.Struct, frozen=True):
    """An event's place: `position` in its tenant's log, `sequence` on the `aggregate` that it happened to."""

    id: EventId
    type: EventType
    position: int
    aggregate: str
    sequence: int
    logged_at: Instant


class AttemptEvidence(msgspec.Struct, frozen=True):
    """An attempt and its headers, all but `X-OfferHub-Signature` and `X-OfferHub-Challenge`, which follow from the secret."""

    attempt: DeliveryAttempt
    headers: dict[str, str]
    signed_with: tuple[int, ...]
    """The numbers of the secrets that made the signatures of `webhook-signature`, in their order."""


class SecretEvidence(msgspec.Struct, frozen=True):
    """When a secret signs; never the secret. One that has retired is forgotten at the next rotation."""

    number: int
    created_at: Instant
    signs_first_from: Instant
    signs_until: Instant | None


class DeliveryEvidence(msgspec.Struct, frozen=True):
    """All that somebody with the secret needs to verify what was sent, and when."""

    id: DeliveryId
    delivery: Delivery
    event: EventEvidence
    body_base64: str
    """The exact bytes of the body, the same on every attempt."""
    body_sha256: str
    attempts: tuple[AttemptEvidence, ...]
    """The last hundred, the first of them first."""
    secrets: tuple[SecretEvidence, ...]


class ResentDelivery(msgspec.Struct, frozen=True):
    """A delivery that goes out again, and the number that the attempt will have."""

    id: DeliveryId
    endpoint_id: WebhookId
    attempt: int


class Replay(msgspec.Struct, frozen=True):
    """A part of the log on its way to an endpoint again.

    COMPLETED when all of it has been delivered or given up; CANCELED sends nothing more.
    """

    id: ReplayId
    endpoint_id: WebhookId
    state: Annotated[str, one_of(ReplayState)]
    from_position: int
    to_position: int
    events: tuple[str, ...]
    only: Annotated[str, one_of(ReplayOnly)]
    per_second: int
    cursor: int
    """The last position that was looked at."""
    enqueued: int
    """Deliveries made so far."""
    created_at: Instant
    updated_at: Instant


class ReplayProgress(Replay, frozen=True):
    """A replay, with what became of its deliveries."""

    pending: int
    """Made and not finished yet."""
    delivered: int
    failed: int
    """Given up."""
    remaining: int
    """Deliveries still to come about, among them the pending ones: an estimate, by what the part so far has had."""


class Counts(msgspec.Struct, frozen=True):
    """Attempts that delivered, and attempts that failed."""

    delivered: int
    failed: int


class EndpointHealth(msgspec.Struct, frozen=True):
    """How an endpoint does: is it delivered to, what waits for it, and how it has answered of late."""

    id: WebhookId
    active: bool
    breaker: Annotated[str, one_of(BreakerState)]
    """OPEN: what waits is parked until `next_probe_at`. PROBING: one delivery at a time goes out."""
    failures_in_a_row: int
    next_probe_at: Instant | None
    failing_since: Instant | None
    last_success_at: Instant | None
    disables_at: Instant | None
    """When it will be deactivated, unless a delivery arrives before."""
    disables_in_seconds: int | None
    backlog: int
    """Deliveries that are not finished, counted up to 10,000."""
    backlog_is_longer: bool
    oldest_seconds: int | None
    """The age of the oldest of them."""
    drain_seconds: int | None
    """How long the backlog takes at the pace of the best five minutes of the last hour; null while nothing goes out."""
    last_hour: Counts
    last_day: Counts
    answer_p50_ms: int | None
    """Half of the answers of the last hour took no longer than this; exact to a factor of 1.4."""
    answer_p99_ms: int | None


class SentTest(msgspec.Struct, frozen=True):
    """The delivery of a test event; it is there as soon as the event is logged."""

    id: DeliveryId
    endpoint_id: WebhookId


class SecretRotation(msgspec.Struct, frozen=True):
    """From when on the new secret is the first of those that sign, and until when the old ones sign beside it."""

    id: WebhookId
    signs_from: Instant
    previous_until: Instant


class LoggedEvent(msgspec.Struct, frozen=True):
    """One event of the log, as subscribers got it; `position` counts 1, 2, 3 … per tenant."""

    id: EventId
    type: EventType
    position: int
    sequence: int
    created_at: Instant
    data: msgspec.Raw


class StreamedEvent(msgspec.Struct, frozen=True):
    """One event of the log with what streams choose by; `body` is the JSON that webhook deliveries carry."""

    position: int
    type: str
    user_ids: tuple[str, ...]
    body: msgspec.Raw


class LogPart(msgspec.Struct, frozen=True):
    """Events that follow each other in the log."""

    events: tuple[StreamedEvent, ...]


class LogPlace(msgspec.Struct, frozen=True):
    """The positions of the oldest event that is kept and of the last one, and the one to read on after."""

    oldest: int
    """One more than `head` when none is kept."""
    head: int
    after: int


class Address(msgspec.Struct, frozen=True):
    """A public key of the service, by its name: `keyid.base64`."""

    address: str

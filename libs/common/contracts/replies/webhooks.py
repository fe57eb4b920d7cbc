"""What webhooks answers, in the public form."""

import msgspec


class Endpoint(msgspec.Struct, frozen=True):
    """A registered URL; never its secret, for replies are stored."""

    id: str
    url: str
    events: tuple[str, ...]
    active: bool
    description: str | None
    created_at: str
    updated_at: str


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to an endpoint: PENDING, DELIVERED, EXHAUSTED, or CANCELED because the endpoint was deleted."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: str | None
    created_at: str


class LoggedEvent(msgspec.Struct, frozen=True):
    """One event of the log, as subscribers got it; `position` counts 1, 2, 3 … per tenant."""

    id: str
    type: str
    position: int
    sequence: int
    created_at: str
    data: msgspec.Raw

"""The webhooks service's rows and tables as its write path works with them."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table
from services.webhooks.domain.endpoints import PARALLEL
from services.webhooks.store.gates import GATES


class LogHeadRow(msgspec.Struct, frozen=True, gc=False):
    """How far a tenant's log has come; its lock is the lock root of everything that is logged."""

    tenant: str
    log: str
    position: int


class StreamRow(msgspec.Struct, frozen=True, gc=False):
    """The last sequence of one aggregate that is in the log."""

    tenant: str
    aggregate: str
    sequence: int


class GapRow(msgspec.Struct, frozen=True, gc=False):
    """An event that came before its predecessor and waits for it; `body` is what subscribers will receive."""

    tenant: str
    aggregate: str
    sequence: int
    id: str
    type: str
    user_ids: tuple[str, ...]
    body: bytes
    received_at: datetime


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """A logged event; `position` counts 1, 2, 3 … per tenant without a gap, `body` is what subscribers receive."""

    tenant: str
    position: int
    id: str
    type: str
    aggregate: str
    sequence: int
    user_ids: tuple[str, ...]
    body: bytes
    logged_at: datetime


class EndpointRow(msgspec.Struct, frozen=True, gc=False):
    """Where events go; `sequence` counts the events about the endpoint itself. Without a maximum the process's own holds."""

    tenant: str
    id: str
    url: str
    events: tuple[str, ...]
    description: str | None
    active: bool
    sequence: int
    created_at: datetime
    updated_at: datetime
    order_mode: str = PARALLEL
    max_in_flight: int | None = None
    max_per_second: int | None = None


class SubscriptionRow(msgspec.Struct, frozen=True, gc=False):
    """What logging must know of an endpoint."""

    tenant: str
    id: str
    events: tuple[str, ...]


class SecretRow(msgspec.Struct, frozen=True, gc=False):
    """A signing secret, sealed for (tenant, endpoint).

    Until `retires_at` it signs; the highest number whose `primary_at` has come signs first.
    """

    tenant: str
    endpoint_id: str
    number: int
    sealed: bytes
    created_at: datetime
    primary_at: datetime
    retires_at: datetime | None


class LaneRow(msgspec.Struct, frozen=True, gc=False):
    """How an endpoint's receiver has been doing: `failures` in a row since `failing_since`; parked, and probed so often."""

    tenant: str
    endpoint_id: str
    failures: int
    probes: int
    parked_until: datetime | None
    failing_since: datetime | None
    last_success_at: datetime | None


class DeliveryRow(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to an endpoint. Without a payload: it is read from the log when it is sent.

    `aggregate` is what the event is about, as the log says; deliveries of one are ordered by position.
    """

    tenant: str
    endpoint_id: str
    id: str
    position: int
    state: str
    attempts: int
    next_attempt_at: datetime
    last_status: int | None
    last_error: str | None
    lease_token: str | None
    lease_until: datetime | None
    created_at: datetime
    aggregate: str


class SwitchRow(msgspec.Struct, frozen=True, gc=False):
    """Whether an endpoint is delivered to."""

    tenant: str
    id: str
    active: bool


class ResendRow(msgspec.Struct, frozen=True, gc=False):
    """A delivery as whoever sends it again sees it.

    `base_attempts` were made before it was sent again last; `again` sends it once more when the attempt under way has ended.
    """

    tenant: str
    endpoint_id: str
    id: str
    state: str
    attempts: int
    base_attempts: int
    again: bool
    next_attempt_at: datetime
    lease_token: str | None
    lease_until: datetime | None


class HeadRow(msgspec.Struct, frozen=True, gc=False):
    """How far a tenant's log has come, as somebody sees it who does not log."""

    tenant: str
    log: str
    position: int


class ReplayRow(msgspec.Struct, frozen=True, gc=False):
    """A job that delivers a part of the log to an endpoint again; both ends are included.

    All up to `cursor` has been looked at; the next step is made at `next_step_at`, None for no more.
    """

    tenant: str
    endpoint_id: str
    id: str
    state: str
    from_position: int
    to_position: int
    events: tuple[str, ...]
    only_those: str
    per_second: int
    cursor: int
    enqueued: int
    next_step_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ParkingRow(msgspec.Struct, frozen=True, gc=False):
    """Until when nothing is sent on a lane."""

    tenant: str
    endpoint_id: str
    parked_until: datetime | None


EVENT_LOG_NAME: Final = "events"

LOG_HEADS: Final = Table(
    "log_heads", LogHeadRow, {"tenant": "text", "log": "text", "position": "bigint"}, key=("tenant", "log"), lock=True
)
STREAMS: Final = Table(
    "streams", StreamRow, {"tenant": "text", "aggregate": "text", "sequence": "bigint"}, key=("tenant", "aggregate")
)
GAPS: Final = Table(
    "event_gaps",
    GapRow,
    {
        "tenant": "text",
        "aggregate": "text",
        "sequence": "bigint",
        "id": "text",
        "type": "text",
        "user_ids": "jsonb",
        "body": "bytea",
        "received_at": "timestamptz",
    },
    key=("tenant", "aggregate", "sequence"),
)
EVENT_LOG: Final = Table(
    "event_log",
    EventRow,
    {
        "tenant": "text",
        "position": "bigint",
        "id": "text",
        "type": "text",
        "aggregate": "text",
        "sequence": "bigint",
        "user_ids": "jsonb",
        "body": "bytea",
        "logged_at": "timestamptz",
    },
    key=("tenant", "position"),
)
ENDPOINTS: Final = Table(
    "endpoints",
    EndpointRow,
    {
        "tenant": "text",
        "id": "text",
        "url": "text",
        "events": "jsonb",
        "description": "text",
        "active": "boolean",
        "sequence": "bigint",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "order_mode": "text",
        "max_in_flight": "integer",
        "max_per_second": "integer",
    },
    key=("tenant", "id"),
    lock=True,
    frozen_columns=("created_at",),
)
SUBSCRIPTIONS: Final = Table(
    "endpoints",
    SubscriptionRow,
    {"tenant": "text", "id": "text", "events": "jsonb"},
    key=("tenant", "id"),
    index=True,
)
"""The endpoints again, read without a lock: logging must not wait for a dispatcher that notes a failure."""
SWITCHES: Final = Table(
    "endpoints", SwitchRow, {"tenant": "text", "id": "text", "active": "boolean"}, key=("tenant", "id"), index=True
)
"""The endpoints once more, read without a lock."""
SECRETS: Final = Table(
    "secrets",
    SecretRow,
    {
        "tenant": "text",
        "endpoint_id": "text",
        "number": "integer",
        "sealed": "bytea",
        "created_at": "timestamptz",
        "primary_at": "timestamptz",
        "retires_at": "timestamptz",
    },
    key=("tenant", "endpoint_id", "number"),
)
LANES: Final = Table(
    "lanes",
    LaneRow,
    {
        "tenant": "text",
        "endpoint_id": "text",
        "failures": "integer",
        "probes": "integer",
        "parked_until": "timestamptz",
        "failing_since": "timestamptz",
        "last_success_at": "timestamptz",
    },
    key=("tenant", "endpoint_id"),
)
DELIVERIES: Final = Table(
    "deliveries",
    DeliveryRow,
    {
        "tenant": "text",
        "endpoint_id": "text",
        "id": "text",
        "position": "bigint",
        "state": "text",
        "attempts": "integer",
        "next_attempt_at": "timestamptz",
        "last_status": "integer",
        "last_error": "text",
        "lease_token": "text",
        "lease_until": "timestamptz",
        "created_at": "timestamptz",
        "aggregate": "text",
    },
    key=("tenant", "endpoint_id", "id"),
)

RESENDS: Final = Table(
    "deliveries",
    ResendRow,
    {
        "tenant": "text",
        "endpoint_id": "text",
        "id": "text",
        "state": "text",
        "attempts": "integer",
        "base_attempts": "integer",
        "again": "boolean",
        "next_attempt_at": "timestamptz",
        "lease_token": "text",
        "lease_until": "timestamptz",
    },
    key=("tenant", "endpoint_id", "id"),
    lock=True,
    frozen_columns=("attempts",),
)
"""Deliveries that are there, locked against the dispatcher that may be about to record how an attempt ended."""
HEADS: Final = Table(
    "log_heads", HeadRow, {"tenant": "text", "log": "text", "position": "bigint"}, key=("tenant", "log"), index=True
)
"""The heads again, read without the lock that logging holds."""
REPLAYS: Final = Table(
    "replays",
    ReplayRow,
    {
        "tenant": "text",
        "endpoint_id": "text",
        "id": "text",
        "state": "text",
        "from_position": "bigint",
        "to_position": "bigint",
        "events": "jsonb",
        "only_those": "text",
        "per_second": "integer",
        "cursor": "bigint",
        "enqueued": "bigint",
        "next_step_at": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    key=("tenant", "endpoint_id", "id"),
    lock=True,
    frozen_columns=("created_at",),
)
PARKINGS: Final = Table(
    "lanes",
    ParkingRow,
    {"tenant": "text", "endpoint_id": "text", "parked_until": "timestamptz"},
    key=("tenant", "endpoint_id"),
    lock=True,
)

LOCK_ORDER: Final = (
    LOG_HEADS,
    ENDPOINTS,
    SUBSCRIPTIONS,
    SWITCHES,
    HEADS,
    REPLAYS,
    STREAMS,
    GAPS,
    EVENT_LOG,
    SECRETS,
    DELIVERIES,
    RESENDS,
    LANES,
    PARKINGS,
    GATES,
)
"""Every transaction touches the tables in this order, so no two wait for each other."""

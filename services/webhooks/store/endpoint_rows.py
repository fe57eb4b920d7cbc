"""Rows and tables of endpoints, their secrets and their lanes as the write path works with them."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table
from services.webhooks.domain.endpoints import PARALLEL


class EndpointRow(msgspec.Struct, frozen=True, gc=False):
    """Where events go; `sequence` counts the events about the endpoint itself. Without a maximum the process's own holds.

    Since `verified_at` its receiver is known to want our deliveries.
    """

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
    verified_at: datetime | None = None


class SubscriptionRow(msgspec.Struct, frozen=True, gc=False):
    """What logging must know of an endpoint."""

    tenant: str
    id: str
    events: tuple[str, ...]


class SwitchRow(msgspec.Struct, frozen=True, gc=False):
    """Whether an endpoint is delivered to."""

    tenant: str
    id: str
    active: bool


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


class ParkingRow(msgspec.Struct, frozen=True, gc=False):
    """Until when nothing is sent on a lane."""

    tenant: str
    endpoint_id: str
    parked_until: datetime | None


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
        "verified_at": "timestamptz",
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

PARKINGS: Final = Table(
    "lanes",
    ParkingRow,
    {"tenant": "text", "endpoint_id": "text", "parked_until": "timestamptz"},
    key=("tenant", "endpoint_id"),
    lock=True,
)

"""Rows and tables of deliveries and replays as the write path works with them."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table


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
    logged_at: datetime
    """When its event was logged; it is forgotten with the event's day once it has ended."""


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
        "logged_at": "timestamptz",
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

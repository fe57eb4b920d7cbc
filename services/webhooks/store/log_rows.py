"""Rows and tables of the log as the write path works with them."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table


class LogHeadRow(msgspec.Struct, frozen=True, gc=False):
    """How far a tenant's log has come; its lock is the lock root of everything that is logged."""

    tenant: str
    log: str
    position: int


class HeadRow(msgspec.Struct, frozen=True, gc=False):
    """How far a tenant's log has come, as somebody sees it who does not log."""

    tenant: str
    log: str
    position: int


class FloorRow(msgspec.Struct, frozen=True, gc=False):
    """The last position of a tenant's log that is not kept any more."""

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


EVENT_LOG_NAME: Final = "events"

LOG_HEADS: Final = Table(
    "log_heads", LogHeadRow, {"tenant": "text", "log": "text", "position": "bigint"}, key=("tenant", "log"), lock=True
)

HEADS: Final = Table(
    "log_heads", HeadRow, {"tenant": "text", "log": "text", "position": "bigint"}, key=("tenant", "log"), index=True
)
"""The heads again, read without the lock that logging holds."""

FLOORS: Final = Table(
    "log_floors", FloorRow, {"tenant": "text", "log": "text", "position": "bigint"}, key=("tenant", "log"), index=True
)
"""Written by the database itself when it drops a day."""
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

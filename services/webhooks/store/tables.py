"""The webhooks schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import APPEND_ONLY, add_inbox_and_outbox, schema_metadata

metadata = schema_metadata("webhooks")
_INSTANT: Any = DateTime(timezone=True)


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


add_inbox_and_outbox(Base)


class LogHead(Base, table=True):
    """How far a tenant's log has come."""

    __tablename__ = "log_heads"
    tenant: str = Field(sa_type=Text, primary_key=True)
    log: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=BigInteger)


class Stream(Base, table=True):
    """The last logged sequence of each aggregate."""

    __tablename__ = "streams"
    tenant: str = Field(sa_type=Text, primary_key=True)
    aggregate: str = Field(sa_type=Text, primary_key=True)
    sequence: int = Field(sa_type=BigInteger)


class EventGap(Base, table=True):
    """Events that wait for their predecessor."""

    __tablename__ = "event_gaps"
    tenant: str = Field(sa_type=Text, primary_key=True)
    aggregate: str = Field(sa_type=Text, primary_key=True)
    sequence: int = Field(sa_type=BigInteger, primary_key=True)
    id: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    user_ids: list[str] = Field(sa_type=JSONB)
    body: bytes = Field(sa_type=LargeBinary)
    received_at: datetime = Field(sa_type=_INSTANT)


class LogFloor(Base, table=True):
    """The last position of a tenant's log that is not kept any more."""

    __tablename__ = "log_floors"
    tenant: str = Field(sa_type=Text, primary_key=True)
    log: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=BigInteger)


class LoggedEvent(Base, table=True):
    """What happened, in order; each day (UTC) is a partition."""

    __tablename__ = "event_log"
    __table_args__: ClassVar[Any] = (
        Index("event_log_id", "tenant", "id"),
        {"comment": f"{APPEND_ONLY}: what happened"},
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=BigInteger, primary_key=True)
    id: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    aggregate: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    user_ids: list[str] = Field(sa_type=JSONB)
    body: bytes = Field(sa_type=LargeBinary)
    logged_at: datetime = Field(sa_type=_INSTANT, primary_key=True)


class Endpoint(Base, table=True):
    """Where events go."""

    __tablename__ = "endpoints"
    __table_args__: ClassVar[Any] = (
        CheckConstraint("order_mode IN ('parallel', 'per_aggregate', 'fifo')", name="endpoints_order_mode_check"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    url: str = Field(sa_type=Text)
    events: list[str] = Field(sa_type=JSONB)
    description: str | None = Field(sa_type=Text)
    active: bool
    sequence: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)
    order_mode: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "parallel"})
    max_in_flight: int | None
    max_per_second: int | None
    verified_at: datetime | None = Field(sa_type=_INSTANT)


class Secret(Base, table=True):
    """Signing secrets, sealed."""

    __tablename__ = "secrets"
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    number: int = Field(primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=_INSTANT)
    primary_at: datetime = Field(sa_type=_INSTANT)
    retires_at: datetime | None = Field(sa_type=_INSTANT)


class Delivery(Base, table=True):
    """Events on their way to endpoints: the due table, `deliveries_pending`, and those that ended, by the day of their event.

    The two have keys and indexes of their own, each what it is asked for.
    """

    __tablename__ = "deliveries"
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    position: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    attempts: int
    next_attempt_at: datetime = Field(sa_type=_INSTANT)
    last_status: int | None
    last_error: str | None = Field(sa_type=Text)
    lease_token: str | None = Field(sa_type=Text)
    lease_until: datetime | None = Field(sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)
    base_attempts: int = Field(sa_column_kwargs={"server_default": text("0")})
    again: bool = Field(sa_column_kwargs={"server_default": text("false")})
    replay_id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    aggregate: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "-"})
    logged_at: datetime = Field(sa_type=_INSTANT)


class Gate(Base, table=True):
    """What all processes together have under way to an endpoint that limits it, and until when its rate is used up."""

    __tablename__ = "gates"
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    leases: list[datetime] = Field(sa_type=ARRAY(_INSTANT), sa_column_kwargs={"server_default": "{}"})
    aggregates: list[str] = Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": "{}"})
    paid_until: datetime = Field(sa_type=_INSTANT)
    opens_at: datetime = Field(sa_type=_INSTANT)


class Replay(Base, table=True):
    """Jobs that deliver a part of the log again."""

    __tablename__ = "replays"
    __table_args__: ClassVar[Any] = (
        Index("replays_due", "next_step_at", postgresql_where=text("next_step_at IS NOT NULL")),
        CheckConstraint("state IN ('RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED')", name="replays_state_check"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    state: str = Field(sa_type=Text)
    from_position: int = Field(sa_type=BigInteger)
    to_position: int = Field(sa_type=BigInteger)
    events: list[str] = Field(sa_type=JSONB)
    only_those: str = Field(sa_type=Text)
    per_second: int
    cursor: int = Field(sa_type=BigInteger)
    enqueued: int = Field(sa_type=BigInteger)
    next_step_at: datetime | None = Field(sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class Lane(Base, table=True):
    """How an endpoint's receiver has been doing."""

    __tablename__ = "lanes"
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    failures: int
    probes: int
    parked_until: datetime | None = Field(sa_type=_INSTANT)
    failing_since: datetime | None = Field(sa_type=_INSTANT)
    last_success_at: datetime | None = Field(sa_type=_INSTANT)


class Traffic(Base, table=True):
    """Attempts of an endpoint in five minutes, by how long they took."""

    __tablename__ = "traffic"
    __table_args__: ClassVar[Any] = (Index("traffic_slot", "slot"),)
    tenant: str = Field(sa_type=Text, primary_key=True)
    endpoint_id: str = Field(sa_type=Text, primary_key=True)
    slot: datetime = Field(sa_type=_INSTANT, primary_key=True)
    bucket: int = Field(primary_key=True)
    delivered: int
    failed: int
    answered: int


class Attempt(Base, table=True):
    """What was tried, and what came back; each day (UTC) is a partition."""

    __tablename__ = "attempts"
    tenant: str = Field(sa_type=Text, primary_key=True)
    delivery_id: str = Field(sa_type=Text, primary_key=True)
    number: int = Field(primary_key=True)
    started_at: datetime = Field(sa_type=_INSTANT, primary_key=True)
    duration_ms: int
    status: int | None
    error: str | None = Field(sa_type=Text)
    response: bytes = Field(sa_type=LargeBinary)
    connect_ms: int | None
    url: str | None = Field(sa_type=Text)
    signed_with: str | None = Field(sa_type=Text)
    signature: str | None = Field(sa_type=Text)

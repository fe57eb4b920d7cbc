"""The gateway's schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import schema_metadata

metadata = schema_metadata("gateway")
_INSTANT: Any = DateTime(timezone=True)


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


class ApiKey(Base, table=True):
    """API keys; the secret itself is nowhere, only its keyed hash."""

    __tablename__ = "api_keys"
    __table_args__: ClassVar[Any] = (
        Index("api_keys_digest", "digest", unique=True),
        CheckConstraint("mode IN ('live', 'test')", name="api_keys_mode"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    marketplace: str = Field(sa_type=Text)
    mode: str = Field(sa_type=Text)
    scopes: list[str] = Field(sa_type=ARRAY(Text))
    hint: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    allowed_ips: list[str] = Field(sa_type=ARRAY(Text))
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    expires_at: datetime | None = Field(sa_type=_INSTANT)
    replaced_by: str | None = Field(sa_type=Text)
    retires_at: datetime | None = Field(sa_type=_INSTANT)
    revoked_at: datetime | None = Field(sa_type=_INSTANT)
    last_used_at: datetime | None = Field(sa_type=_INSTANT)


class Maintenance(Base, table=True):
    """The maintenance under way: one row, or none."""

    __tablename__ = "maintenance"
    __table_args__: ClassVar[Any] = (CheckConstraint("is_on", name="maintenance_only"),)
    is_on: bool = Field(sa_type=Boolean, primary_key=True)
    message: str | None = Field(sa_type=Text)
    enabled_at: datetime = Field(sa_type=_INSTANT)
    enabled_by: str = Field(sa_type=Text)


class RequestRecord(Base, table=True):
    """Requests: idempotency rows, request log and audit log in one."""

    __tablename__ = "requests"
    __table_args__: ClassVar[Any] = (
        Index("requests_keys", "tenant", "api_key_id", "key", unique=True, postgresql_where=text("holds_key")),
        Index("requests_own_ids", "tenant", "request_id", postgresql_where=text("request_id IS NOT NULL")),
        Index("requests_resources", "tenant", "resource_id", "id", postgresql_where=text("resource_id IS NOT NULL")),
        Index("requests_open", "started_at", postgresql_where=text("state = 'in_progress'")),
        Index("requests_completed", "completed_at", postgresql_using="brin"),
        Index("requests_batches", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        CheckConstraint("state IN ('in_progress', 'completed')", name="requests_state"),
        CheckConstraint("(state = 'completed') = (status IS NOT NULL)", name="requests_ended"),
        CheckConstraint("key IS NOT NULL OR NOT holds_key", name="requests_key"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    api_key_id: str = Field(sa_type=Text)
    key: str | None = Field(sa_type=Text)
    holds_key: bool
    """Repeats under the key are repeats of this request."""
    fingerprint: bytes | None = Field(sa_type=LargeBinary)
    request_id: str | None = Field(sa_type=Text)
    """The caller's own X-Request-ID, if it sent one."""
    about: bytes = Field(sa_type=LargeBinary)
    """`domain.records.About` as JSON."""
    state: str = Field(sa_type=Text)
    status: int | None = Field(sa_type=SmallInteger)
    code: str | None = Field(sa_type=Text)
    resource_id: str | None = Field(sa_type=Text)
    before: bytes | None = Field(sa_type=LargeBinary)
    body: bytes | None = Field(sa_type=LargeBinary)
    started_at: datetime = Field(sa_type=_INSTANT)
    claimed_at: datetime | None = Field(sa_type=_INSTANT)
    completed_at: datetime | None = Field(sa_type=_INSTANT)
    expires_at: datetime | None = Field(sa_type=_INSTANT)
    batch_id: str | None = Field(sa_type=Text)
    record_hash: bytes | None = Field(sa_type=LargeBinary)


class RequestBatch(Base, table=True):
    """The chain over completed requests; each hash covers its batch and everything before it."""

    __tablename__ = "request_batches"
    __table_args__: ClassVar[Any] = (UniqueConstraint("id", name="request_batches_id"),)
    position: int = Field(sa_type=BigInteger, primary_key=True)
    id: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)
    records: int
    sealed_at: datetime = Field(sa_type=_INSTANT)


class RequestHead(Base, table=True):
    """The one row that says where the chain ends."""

    __tablename__ = "request_head"
    __table_args__: ClassVar[Any] = (CheckConstraint("one", name="request_head_one"),)
    one: bool = Field(primary_key=True, sa_column_kwargs={"server_default": text("true")})
    position: int = Field(sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)


class StreamLease(Base, table=True):
    """Who holds the one event stream of a user under an API key."""

    __tablename__ = "leases"
    tenant: str = Field(sa_type=Text, primary_key=True)
    api_key_id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    holder: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=_INSTANT)

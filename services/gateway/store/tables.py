"""The gateway's schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ARRAY, CheckConstraint, DateTime, Index, LargeBinary, SmallInteger, Text, text
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
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_INSTANT)
    revoked_at: datetime | None = Field(sa_type=_INSTANT)


class RequestRecord(Base, table=True):
    """Requests that came with an Idempotency-Key."""

    __tablename__ = "requests"
    __table_args__: ClassVar[Any] = (
        Index("requests_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        CheckConstraint("(state = 'completed') = (body IS NOT NULL)", name="requests_answered"),
        CheckConstraint("state IN ('in_progress', 'completed')", name="requests_state"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    api_key_id: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_type=Text, primary_key=True)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    command_id: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    status: int | None = Field(sa_type=SmallInteger)
    body: bytes | None = Field(sa_type=LargeBinary)
    claimed_at: datetime | None = Field(sa_type=_INSTANT)
    expires_at: datetime | None = Field(sa_type=_INSTANT)

"""The ledger's schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import APPEND_ONLY, add_inbox_and_outbox, schema_metadata

metadata = schema_metadata("ledger")
_INSTANT: Any = DateTime(timezone=True)


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


add_inbox_and_outbox(Base)


class User(Base, table=True):
    """Account holders."""

    __tablename__ = "users"
    __table_args__: ClassVar[Any] = (
        Index("users_external_user_id", "tenant", "external_user_id", unique=True),
        Index("users_listed", "tenant", "status", "type", "created_at", "id"),
        Index(
            "users_email",
            *("tenant", "email", "status", "type", "created_at", "id"),
            postgresql_where=text("email IS NOT NULL"),
        ),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    external_user_id: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    email: str | None = Field(sa_type=Text)
    metadata_: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"name": "metadata"})
    sequence: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)


class Account(Base, table=True):
    """Where one currency of one purpose stands."""

    __tablename__ = "accounts"
    __table_args__: ClassVar[Any] = (
        Index("accounts_open_holder", "tenant", "holder_id", postgresql_where=text("is_open")),
        CheckConstraint("balance >= 0 OR NOT floored", name="accounts_floor"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    purpose: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    holder_id: str = Field(sa_type=Text)
    floored: bool
    balance: int = Field(sa_type=BigInteger)
    version: int = Field(sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger)
    is_open: bool


class Journal(Base, table=True):
    """Balanced sets of postings."""

    __tablename__ = "journals"
    __table_args__: ClassVar[Any] = {"comment": f"{APPEND_ONLY}: the books"}
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    subject: str | None = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    batch_id: str = Field(sa_type=Text)
    posted_at: datetime = Field(sa_type=_INSTANT)
    digest: bytes = Field(sa_type=LargeBinary)


class Entry(Base, table=True):
    """What each journal did to each account."""

    __tablename__ = "entries"
    __table_args__: ClassVar[Any] = {"comment": f"{APPEND_ONLY}: the books"}
    tenant: str = Field(sa_type=Text, primary_key=True)
    account_id: str = Field(sa_type=Text, primary_key=True)
    version: int = Field(sa_type=BigInteger, primary_key=True)
    journal_id: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    balance_after: int = Field(sa_type=BigInteger)
    posted_at: datetime = Field(sa_type=_INSTANT)


class BatchHead(Base, table=True):
    """The one row that the next link of the chain is added to."""

    __tablename__ = "batch_head"
    singleton: bool = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)
    prev_hash: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class BatchLink(Base, table=True):
    """The chain: one link a transaction."""

    __tablename__ = "batches"
    __table_args__: ClassVar[Any] = {"comment": f"{APPEND_ONLY}: the chain"}
    number: int = Field(sa_type=BigInteger, primary_key=True)
    id: str = Field(sa_type=Text, unique=True)
    content: bytes = Field(sa_type=LargeBinary)
    journals: int
    prev_hash: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class RefusalRecord(Base, table=True):
    """What the rules refused, chained with what they allowed."""

    __tablename__ = "refusals"
    __table_args__: ClassVar[Any] = {"comment": f"{APPEND_ONLY}: the chain"}
    batch_id: str = Field(sa_type=Text, primary_key=True)
    tenant: str = Field(sa_type=Text, primary_key=True)
    message_id: str = Field(sa_type=Text, primary_key=True)
    type: str = Field(sa_type=Text)
    code: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)

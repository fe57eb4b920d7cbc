"""Escrow's schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import add_inbox_and_outbox, schema_metadata

metadata = schema_metadata("escrow")
_INSTANT: Any = DateTime(timezone=True)
_DISPUTED = ("dispute_status", "dispute_opened_by", "dispute_opened_at", "id")


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


add_inbox_and_outbox(Base)


class Party(Base, table=True):
    """Users that orders are between, as the ledger announced them."""

    __tablename__ = "parties"
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    status: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)


class Order(Base, table=True):
    """Orders with their milestones, escrow, dispute and the intent that is under way."""

    __tablename__ = "orders"
    __table_args__: ClassVar[Any] = (
        Index(
            "orders_client_order_ref",
            "tenant",
            "client_order_ref",
            unique=True,
            postgresql_where=text("client_order_ref IS NOT NULL"),
        ),
        Index("orders_status", "tenant", "status", "created_at", "id"),
        Index("orders_buyer", "tenant", "buyer_id", "status", "created_at", "id"),
        Index("orders_seller", "tenant", "seller_id", "status", "created_at", "id"),
        Index("orders_pair", "tenant", "buyer_id", "seller_id", "status", "created_at", "id"),
        Index("orders_disputes", "tenant", *_DISPUTED, postgresql_where=text("dispute_opened_at IS NOT NULL")),
        Index("orders_buyer_disputes", "tenant", "buyer_id", *_DISPUTED, postgresql_where=text("dispute_opened_at IS NOT NULL")),
        Index(
            "orders_seller_disputes", "tenant", "seller_id", *_DISPUTED, postgresql_where=text("dispute_opened_at IS NOT NULL")
        ),
        Index("orders_pending_due", "pending_due", postgresql_where=text("pending_due IS NOT NULL")),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    client_order_ref: str | None = Field(sa_type=Text)
    buyer_id: str = Field(sa_type=Text)
    seller_id: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    quoted_currency: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    metadata_: dict[str, Any] | None = Field(sa_type=JSONB, sa_column_kwargs={"name": "metadata"})
    fee_bps: int
    status: str = Field(sa_type=Text)
    final_status: str | None = Field(sa_type=Text)
    milestones: list[Any] = Field(sa_type=JSONB)
    escrow: dict[str, Any] | None = Field(sa_type=JSONB)
    dispute: dict[str, Any] | None = Field(sa_type=JSONB)
    comments: list[Any] = Field(sa_type=JSONB)
    dispute_status: str | None = Field(sa_type=Text)
    dispute_opened_by: str | None = Field(sa_type=Text)
    dispute_opened_at: datetime | None = Field(sa_type=_INSTANT)
    version: int = Field(sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger)
    pending: dict[str, Any] | None = Field(sa_type=JSONB)
    pending_since: datetime | None = Field(sa_type=_INSTANT)
    pending_tries: int
    pending_due: datetime | None = Field(sa_type=_INSTANT)
    created_at: datetime = Field(sa_type=_INSTANT)
    updated_at: datetime = Field(sa_type=_INSTANT)

"""The payouts schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import add_inbox_and_outbox, schema_metadata

metadata = schema_metadata("payouts")


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


add_inbox_and_outbox(Base)


class Party(Base, table=True):
    """Users as far as payouts must know them."""

    __tablename__ = "parties"
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    status: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)


class Wallet(Base, table=True):
    """Deposit wallets, one per user."""

    __tablename__ = "wallets"
    __table_args__: ClassVar[Any] = (
        Index("wallets_user", "tenant", "user_id", unique=True),
        Index("wallets_public_key", "public_key", "network", unique=True),
        CheckConstraint("network IN ('testnet', 'mainnet')", name="wallets_network_check"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text)
    public_key: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    network: str = Field(sa_type=Text)
    sealed_secret: bytes = Field(sa_type=LargeBinary)
    sequence: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))

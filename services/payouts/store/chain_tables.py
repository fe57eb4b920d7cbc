"""The tables about accounts on the chain: how they are made, looked through and swept, and what came to them. See `tables.py`."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from libs.common.persistence.tables import schema_metadata

metadata = schema_metadata("payouts")
INSTANT: Any = DateTime(timezone=True)
_TEXTS: Any = ARRAY(Text)


class Base(SQLModel):
    """Everything in this schema."""

    metadata = metadata


class Creation(Base, table=True):
    """Accounts being made on the chain, a transaction each row."""

    __tablename__ = "creations"
    __table_args__: ClassVar[Any] = (
        Index("creations_open", "network", "source", unique=True, postgresql_where=text("state = 'open'")),
    )
    id: str = Field(sa_type=Text, primary_key=True)
    network: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    tenants: list[str] = Field(sa_type=_TEXTS)
    wallet_ids: list[str] = Field(sa_type=_TEXTS)
    transaction_hash: str = Field(sa_type=Text)
    hashes: list[str] = Field(sa_type=_TEXTS)
    envelope: str = Field(sa_type=Text)
    fee_max: int = Field(sa_type=BigInteger)
    max_time: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=INSTANT)
    own_accounts: list[str] = Field(sa_type=_TEXTS)
    existing: list[str] = Field(sa_type=_TEXTS)


class SweepRound(Base, table=True):
    """When users' accounts were last looked through for what to sweep."""

    __tablename__ = "sweep_rounds"
    network: str = Field(sa_type=Text, primary_key=True)
    begun_at: datetime = Field(sa_type=INSTANT)


class Sweep(Base, table=True):
    """What goes from users' accounts to the treasury, a transaction each row."""

    __tablename__ = "sweeps"
    __table_args__: ClassVar[Any] = (
        Index("sweeps_open", "network", "account", unique=True, postgresql_where=text("state = 'open'")),
        Index("sweeps_inner", "inner_hash"),
        Index("sweeps_bump", "bump_hash"),
    )
    id: str = Field(sa_type=Text, primary_key=True)
    network: str = Field(sa_type=Text)
    tenant: str = Field(sa_type=Text)
    wallet_id: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    usd: int = Field(sa_type=BigInteger)
    xlm: int = Field(sa_type=BigInteger)
    inner_hash: str = Field(sa_type=Text)
    hashes: list[str] = Field(sa_type=_TEXTS)
    envelope: str = Field(sa_type=Text)
    bump_hash: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    bump_envelope: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    bid: int = Field(sa_type=BigInteger)
    max_time: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    transaction_hash: str | None = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=INSTANT)


class Scan(Base, table=True):
    """How far a network has been looked through."""

    __tablename__ = "scans"
    network: str = Field(sa_type=Text, primary_key=True)
    ledger: int | None = Field(sa_type=BigInteger)
    hash: bytes | None = Field(sa_type=LargeBinary)
    closed_at: datetime | None = Field(sa_type=INSTANT)
    lease_owner: str | None = Field(sa_type=Text)
    lease_until: datetime | None = Field(sa_type=INSTANT)


class AccountScan(Base, table=True):
    """How far an account has been looked through, and what it held then."""

    __tablename__ = "account_scans"
    __table_args__: ClassVar[Any] = (Index("account_scans_due", "network", "due_at"),)
    network: str = Field(sa_type=Text, primary_key=True)
    account: str = Field(sa_type=Text, primary_key=True)
    cursor: int = Field(sa_type=BigInteger)
    usd: int | None = Field(sa_type=BigInteger)
    xlm: int | None = Field(sa_type=BigInteger)
    ledger: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    sign_at: datetime = Field(sa_type=INSTANT)
    due_at: datetime = Field(sa_type=INSTANT)
    tries: int = Field(sa_column_kwargs={"server_default": text("0")})
    trouble: str | None = Field(sa_type=Text)
    is_accepted: bool = Field(sa_column_kwargs={"server_default": text("false")})


class Deposit(Base, table=True):
    """Money that came to our accounts on a network."""

    __tablename__ = "deposits"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("network", "operation_id", name="deposits_once"),
        Index("deposits_operation", "network", "transaction_hash", text("(operation_id & 4095)"), unique=True),
        Index("deposits_user", "tenant", "user_id", "created_at", "id"),
        Index("deposits_pending_due", "pending_due", postgresql_where=text("pending_due IS NOT NULL")),
        Index("deposits_suspense", "network", "operation_id", postgresql_where=text("status = 'SUSPENSE'")),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text)
    network: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    operation_id: int = Field(sa_type=BigInteger)
    ledger: int = Field(sa_type=BigInteger)
    transaction_hash: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    asset: str = Field(sa_type=Text)
    currency: str | None = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    sender: str = Field(sa_type=Text)
    memo: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    version: int
    pending_tries: int = Field(sa_column_kwargs={"server_default": text("0")})
    pending_due: datetime | None = Field(sa_type=INSTANT)
    closed_at: datetime = Field(sa_type=INSTANT)
    created_at: datetime = Field(sa_type=INSTANT)
    credited_at: datetime | None = Field(sa_type=INSTANT)


class Tally(Base, table=True):
    """Chain and books, as they were last compared."""

    __tablename__ = "tallies"
    network: str = Field(sa_type=Text, primary_key=True)
    currency: str = Field(sa_type=Text, primary_key=True)
    ledger: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    booked: int = Field(sa_type=BigInteger)
    unbooked: int = Field(sa_type=BigInteger)
    compared_at: datetime = Field(sa_type=INSTANT)

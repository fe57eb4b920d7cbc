"""The payouts schema as SQLModel describes it: for migrations and for the test that the rows match."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from libs.common.persistence.tables import add_inbox_and_outbox
from services.payouts.store.chain_tables import INSTANT, Base, metadata

__all__ = ["Base", "metadata"]

_MEMO = "('x' || left(md5(tenant || '/' || id), 16))::bit(64)::bigint & 9223372036854775807"

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
        Index("wallets_to_move", "tenant", "id", postgresql_where=text("sealed_secret <> ''")),
        Index("wallets_waiting", "network", "created_at", postgresql_where=text("chain_state IN ('WAITING', 'EXISTS')")),
        CheckConstraint("network IN ('testnet', 'mainnet')", name="wallets_network_check"),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text)
    public_key: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    network: str = Field(sa_type=Text)
    sealed_secret: bytes = Field(sa_type=LargeBinary)
    """Of before `wallet_secrets`; empty since then."""
    chain_state: str = Field(sa_type=Text)
    memo: int = Field(sa_column=Column(BigInteger, Computed(_MEMO, persisted=True), nullable=False, unique=True))
    sequence: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=DateTime(timezone=True))


class WalletSecret(Base, table=True):
    """Wallets' sealed seeds."""

    __tablename__ = "wallet_secrets"
    __table_args__: ClassVar[Any] = (
        Index("wallet_secrets_public_key", "public_key", "network", unique=True),
        {"comment": "only signer"},
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    wallet_id: str = Field(sa_type=Text, primary_key=True)
    public_key: str = Field(sa_type=Text)
    network: str = Field(sa_type=Text)
    version: int
    kek_id: str = Field(sa_type=Text)
    kek_version: int
    wrapped_key: bytes = Field(sa_type=LargeBinary)
    sealed_seed: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=INSTANT)


class Signature(Base, table=True):
    """What the signer was asked and what it did, a chain of hashes."""

    __tablename__ = "signatures"
    __table_args__: ClassVar[Any] = ({"comment": "only signer, append-only"},)
    position: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str = Field(sa_type=Text)
    intent_id: str = Field(sa_type=Text)
    transaction_hash: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    signed_at: datetime = Field(sa_type=INSTANT)
    previous_hash: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class Withdrawal(Base, table=True):
    """Money on its way out, with the intent that is under way."""

    __tablename__ = "withdrawals"
    __table_args__: ClassVar[Any] = (
        Index("withdrawals_status", "tenant", "status", "created_at", "id", postgresql_where=text("is_booked")),
        Index("withdrawals_user", "tenant", "user_id", "status", "created_at", "id", postgresql_where=text("is_booked")),
        Index("withdrawals_pending_due", "pending_due", postgresql_where=text("pending_due IS NOT NULL")),
        Index("withdrawals_waiting_from", "waiting_from", postgresql_where=text("waiting_from IS NOT NULL")),
        Index(
            "withdrawals_unapproved",
            "created_at",
            postgresql_where=text("needs_approval AND approved_by IS NULL AND status = 'PENDING'"),
        ),
        Index("withdrawals_called_off", "tenant", "id", postgresql_where=text("cancel_requested AND status = 'PROCESSING'")),
    )
    tenant: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    quoted_currency: str = Field(sa_type=Text)
    destination_type: str = Field(sa_type=Text)
    address: str = Field(sa_type=Text)
    memo_type: str | None = Field(sa_type=Text)
    memo: str | None = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    metadata_: dict[str, Any] | None = Field(sa_type=JSONB, sa_column_kwargs={"name": "metadata"})
    status: str = Field(sa_type=Text)
    is_booked: bool
    waiting_from: datetime | None = Field(sa_type=INSTANT)
    cancel_requested: bool
    cancel_reason: str | None = Field(sa_type=Text)
    transaction_hash: str | None = Field(sa_type=Text)
    transaction_ledger: int | None = Field(sa_type=BigInteger)
    failure_code: str | None = Field(sa_type=Text)
    failure_reason: str | None = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger)
    pending: dict[str, Any] | None = Field(sa_type=JSONB)
    pending_tries: int
    pending_due: datetime | None = Field(sa_type=INSTANT)
    asked_by: str | None = Field(sa_type=Text)
    needs_approval: bool = Field(sa_column_kwargs={"server_default": text("false")})
    approved_by: str | None = Field(sa_type=Text)
    hold_until: datetime | None = Field(sa_type=INSTANT)
    flags: Any = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")))
    created_at: datetime = Field(sa_type=INSTANT)
    updated_at: datetime = Field(sa_type=INSTANT)
    is_proven: bool = Field(sa_column_kwargs={"server_default": text("false")})


class WithdrawalInFlight(Base, table=True):
    """The withdrawal that a user has under way."""

    __tablename__ = "withdrawals_in_flight"
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    withdrawal_id: str = Field(sa_type=Text)
    new_destination: str | None = Field(sa_type=Text)


class Spending(Base, table=True):
    """What users, and all together, withdraw a day."""

    __tablename__ = "withdrawal_spending"
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    currency: str = Field(sa_type=Text, primary_key=True)
    day: date
    amount: int = Field(sa_type=BigInteger)
    count: int
    largest: int = Field(sa_type=BigInteger)


class KnownDestination(Base, table=True):
    """Where users have withdrawn to before."""

    __tablename__ = "withdrawal_destinations"
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    destination: str = Field(sa_type=Text, primary_key=True)
    first_at: datetime = Field(sa_type=INSTANT)


class Channel(Base, table=True):
    """Accounts whose sequence numbers are used."""

    __tablename__ = "channels"
    public_key: str = Field(sa_type=Text, primary_key=True)
    next_sequence: int | None = Field(sa_type=BigInteger)
    is_quarantined: bool = Field(sa_column_kwargs={"server_default": text("false")})
    reason: str | None = Field(sa_type=Text)
    lease_owner: str | None = Field(sa_type=Text)
    lease_epoch: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    lease_until: datetime | None = Field(sa_type=INSTANT)


class Slot(Base, table=True):
    """A sequence number and what took it."""

    __tablename__ = "slots"
    __table_args__: ClassVar[Any] = (
        Index("slots_open", "channel", unique=True, postgresql_where=text("state = 'OPEN'")),
        Index("slots_failed", "closed_at", postgresql_where=text("state = 'FAILED'")),
    )
    channel: str = Field(sa_type=Text, primary_key=True, foreign_key="channels.public_key")
    sequence: int = Field(sa_type=BigInteger, primary_key=True)
    currency: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    opened_at: datetime = Field(sa_type=INSTANT)
    closed_at: datetime | None = Field(sa_type=INSTANT)
    transaction_hash: str | None = Field(sa_type=Text)
    transaction_ledger: int | None = Field(sa_type=BigInteger)


class SlotItem(Base, table=True):
    """A payment of a slot."""

    __tablename__ = "slot_items"
    __table_args__: ClassVar[Any] = (
        Index("slot_items_once", "tenant", "withdrawal_id", unique=True, postgresql_where=text("state IN ('OPEN', 'PAID')")),
        Index("slot_items_source", "source", postgresql_where=text("state = 'OPEN' AND source IS NOT NULL")),
        ForeignKeyConstraint(["channel", "sequence"], ["slots.channel", "slots.sequence"]),
    )
    channel: str = Field(sa_type=Text, primary_key=True)
    sequence: int = Field(sa_type=BigInteger, primary_key=True)
    place: int = Field(primary_key=True)
    tenant: str = Field(sa_type=Text)
    withdrawal_id: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    code: str | None = Field(sa_type=Text)
    source: str | None = Field(sa_type=Text)


class Envelope(Base, table=True):
    """A transaction that was made for a slot, whatever became of it."""

    __tablename__ = "envelopes"
    __table_args__: ClassVar[Any] = (
        Index("envelopes_slot", "channel", "sequence"),
        ForeignKeyConstraint(["channel", "sequence"], ["slots.channel", "slots.sequence"]),
    )
    hash: str = Field(sa_type=Text, primary_key=True)
    inner_hash: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    generation: int
    kind: str = Field(sa_type=Text)
    places: list[int] = Field(sa_type=ARRAY(Integer))
    bid: int = Field(sa_type=BigInteger)
    fee: int = Field(sa_type=BigInteger)
    max_ledger: int = Field(sa_type=BigInteger)
    max_time: int = Field(sa_type=BigInteger)
    xdr: str = Field(sa_type=Text)
    signed_xdr: str | None = Field(sa_type=Text)
    told: str | None = Field(sa_type=Text)
    first_ledger: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    last_ledger: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = Field(sa_type=INSTANT)


class SecondFactor(Base, table=True):
    """Users' second factors."""

    __tablename__ = "second_factors"
    __table_args__: ClassVar[Any] = (Index("second_factors_id", "tenant", "id", unique=True),)
    tenant: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text)
    wallet_id: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    last_step: int = Field(sa_type=BigInteger)
    failures: int
    locked_until: datetime | None = Field(sa_type=INSTANT)
    created_at: datetime = Field(sa_type=INSTANT)


class AssetPause(Base, table=True):
    """Assets of which no payment is begun for the time being, and why."""

    __tablename__ = "asset_pauses"
    currency: str = Field(sa_type=Text, primary_key=True)
    cause: str = Field(sa_type=Text, primary_key=True)
    reason: str = Field(sa_type=Text)
    since: datetime = Field(sa_type=INSTANT)

"""What the ledger answers, in the public form. Amounts are decimal strings."""

from typing import Annotated, Any, Literal

import msgspec

from libs.common.contracts.accounts import JournalKind
from libs.common.contracts.replies.kinds import Amount, BookedCurrency, Instant, JournalId, SignedAmount, UserId, one_of

UserType = Literal["BUYER", "SELLER", "BOTH"]
UserStatus = Literal["ACTIVE", "SUSPENDED", "PENDING_VERIFICATION"]


class User(msgspec.Struct, frozen=True):
    """An account holder."""

    id: UserId
    external_user_id: str
    type: Annotated[str, one_of(UserType)]
    status: Annotated[str, one_of(UserStatus)]
    email: str | None
    metadata: dict[str, Any]
    created_at: Instant
    updated_at: Instant


class UserOpened(msgspec.Struct, frozen=True):
    """The answer to OpenUser: `created` is false when the external id was known."""

    user: User
    created: bool


class UserState(msgspec.Struct, frozen=True):
    """What a service that keeps parties must know of a user; `sequence` orders it against events."""

    user_id: str
    status: str
    sequence: int


class UserStates(msgspec.Struct, frozen=True):
    """The users among those asked for that exist."""

    users: tuple[UserState, ...]


class CurrencyBalance(msgspec.Struct, frozen=True):
    """What a user has of one currency; held = reserved + in_escrow."""

    currency: BookedCurrency
    available: Amount
    held: Amount
    reserved: Amount
    in_escrow: Amount


class Balance(msgspec.Struct, frozen=True):
    """What a user has of every currency."""

    user_id: UserId
    balances: tuple[CurrencyBalance, ...]


class ExternalLine(msgspec.Struct, frozen=True):
    """An account's balance of one currency, in stroops; what came in from outside is below zero."""

    currency: str
    balance: int


class ExternalBalance(msgspec.Struct, frozen=True):
    """What the books say of an account outside."""

    lines: tuple[ExternalLine, ...]


class BalanceAfter(msgspec.Struct, frozen=True, gc=False):
    """What a journal left a user with, in its currency."""

    user_id: str
    available: str
    reserved: str


class JournalPosted(msgspec.Struct, frozen=True):
    """The books have it: the answer to PostJournal, the same whenever it is asked for again."""

    journal_id: str
    posted_at: str
    balances: tuple[BalanceAfter, ...] = ()
    """Of each user whose money it moved, once."""


class BalanceAdjusted(msgspec.Struct, frozen=True):
    """A support agent's change of a balance, and what it left."""

    journal_id: JournalId
    user_id: UserId
    operation: Annotated[str, one_of(Literal["CREDIT", "DEBIT"])]
    amount: Amount
    currency: BookedCurrency
    available: Amount
    reserved: Amount
    reference: str | None
    description: str | None
    created_at: Instant


class Entry(msgspec.Struct, frozen=True):
    """One line of a user's history; `amount` is signed from the account's side."""

    id: str
    account: Annotated[str, one_of(Literal["available", "reserved"])]
    currency: BookedCurrency
    kind: Annotated[str, one_of(JournalKind)]
    amount: SignedAmount
    balance_after: Amount
    subject: str | None
    description: str | None
    created_at: Instant

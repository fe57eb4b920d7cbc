"""What the ledger answers, in the public form. Amounts are decimal strings."""

from typing import Any

import msgspec


class User(msgspec.Struct, frozen=True):
    """An account holder."""

    id: str
    external_user_id: str
    type: str
    status: str
    email: str | None
    metadata: dict[str, Any]
    created_at: str
    updated_at: str


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

    currency: str
    available: str
    held: str
    reserved: str
    in_escrow: str


class Balance(msgspec.Struct, frozen=True):
    """What a user has of every currency."""

    user_id: str
    balances: tuple[CurrencyBalance, ...]


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

    journal_id: str
    user_id: str
    operation: str
    amount: str
    currency: str
    available: str
    reserved: str
    reference: str | None
    description: str | None
    created_at: str


class Entry(msgspec.Struct, frozen=True):
    """One line of a user's history; `amount` is signed from the account's side."""

    id: str
    account: str
    currency: str
    kind: str
    amount: str
    balance_after: str
    subject: str | None
    description: str | None
    created_at: str

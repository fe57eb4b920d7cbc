"""What the ledger announces. Amounts are decimal strings."""

from typing import Any

import msgspec


class UserCreated(msgspec.Struct, frozen=True):
    """Announced as user.created."""

    user_id: str
    external_user_id: str
    email: str | None
    type: str
    status: str
    metadata: dict[str, Any]


class UserUpdated(UserCreated, frozen=True):
    """Announced as user.updated: the whole user as the change left it."""


class UserStatusChanged(msgspec.Struct, frozen=True):
    """Announced as user.suspended and user.activated."""

    user_id: str
    external_user_id: str
    status: str
    reason: str | None
    at: str


class BalanceMoved(msgspec.Struct, frozen=True):
    """balance.credited, balance.debited, balance.reserved and balance.released: one user, one currency.

    `source` is the kind of journal; `subject` the order, withdrawal or reference it was for. The balances are those after.
    """

    user_id: str
    amount: str
    currency: str
    source: str
    subject: str | None
    journal_id: str
    available: str
    reserved: str

"""The ledger's rows and tables as its write path works with them. Amounts are stroops (10⁻⁷)."""

from datetime import datetime
from typing import Any, Final

import msgspec

from libs.common.persistence.rows import Table


class UserRow(msgspec.Struct, frozen=True, gc=False):
    """An account holder; `sequence` counts the events on it."""

    tenant: str
    id: str
    external_user_id: str
    type: str
    status: str
    email: str | None
    metadata: dict[str, Any]
    sequence: int
    created_at: datetime
    updated_at: datetime


class AccountRow(msgspec.Struct, frozen=True, gc=False):
    """Where one currency of one purpose stands.

    `holder_id` is the user whose money it is. `version` counts entries. `sequence` counts balance events and is kept on
    the available account only. `is_open` marks what belongs in a balance: a user's own accounts, and escrow that is not empty.
    """

    tenant: str
    id: str
    purpose: str
    currency: str
    holder_id: str
    floored: bool
    balance: int
    version: int
    sequence: int
    is_open: bool


class JournalRow(msgspec.Struct, frozen=True, gc=False):
    """A balanced set of postings; `digest` covers them and is part of the batch's chain."""

    tenant: str
    id: str
    kind: str
    currency: str
    subject: str | None
    description: str | None
    batch_id: str
    posted_at: datetime
    digest: bytes


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """What a journal did to one account: the signed amount, and the account's version and balance after it."""

    tenant: str
    account_id: str
    version: int
    journal_id: str
    amount: int
    balance_after: int
    posted_at: datetime


_USER_COLUMNS: Final = {
    "tenant": "text",
    "id": "text",
    "external_user_id": "text",
    "type": "text",
    "status": "text",
    "email": "text",
    "metadata": "jsonb",
    "sequence": "bigint",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
USERS: Final = Table(
    "users",
    UserRow,
    _USER_COLUMNS,
    key=("tenant", "id"),
    lock=True,
    frozen_columns=("external_user_id", "created_at"),
)
USERS_SEEN: Final = Table("users", UserRow, _USER_COLUMNS, key=("tenant", "id"), index=True)
"""The same rows without their locks: a journal only looks whether its users are active."""
USERS_BY_EXTERNAL_ID: Final = Table("users", UserRow, _USER_COLUMNS, key=("tenant", "external_user_id"), index=True)
ACCOUNTS: Final = Table(
    "accounts",
    AccountRow,
    {
        "tenant": "text",
        "id": "text",
        "purpose": "text",
        "currency": "text",
        "holder_id": "text",
        "floored": "boolean",
        "balance": "bigint",
        "version": "bigint",
        "sequence": "bigint",
        "is_open": "boolean",
    },
    key=("tenant", "id"),
    lock=True,
    frozen_columns=("purpose", "currency", "holder_id", "floored"),
)
JOURNALS: Final = Table(
    "journals",
    JournalRow,
    {
        "tenant": "text",
        "id": "text",
        "kind": "text",
        "currency": "text",
        "subject": "text",
        "description": "text",
        "batch_id": "text",
        "posted_at": "timestamptz",
        "digest": "bytea",
    },
    key=("tenant", "id"),
)
ENTRIES: Final = Table(
    "entries",
    EntryRow,
    {
        "tenant": "text",
        "account_id": "text",
        "version": "bigint",
        "journal_id": "text",
        "amount": "bigint",
        "balance_after": "bigint",
        "posted_at": "timestamptz",
    },
    key=("tenant", "account_id", "version"),
)

LOCK_ORDER: Final = (USERS_BY_EXTERNAL_ID, USERS, USERS_SEEN, ACCOUNTS, JOURNALS, ENTRIES)
"""Every transaction touches the tables in this order, so no two wait for each other."""


def as_every_table_sees(user: UserRow) -> tuple[tuple[Table[UserRow], UserRow], ...]:
    """Pair a new or changed user with each table that shows it, so that later messages of its batch see it too."""
    return (USERS, user), (USERS_SEEN, user), (USERS_BY_EXTERNAL_ID, user)

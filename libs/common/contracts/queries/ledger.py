"""What the ledger can be asked."""

import msgspec


class GetUser(msgspec.Struct, frozen=True):
    """One user, as a `replies.ledger.User`."""

    user_id: str


class GetUsers(msgspec.Struct, frozen=True):
    """Several users at once, as `replies.ledger.UserStates`: for services that keep parties."""

    user_ids: tuple[str, ...]


class ListUsers(msgspec.Struct, frozen=True):
    """A page of users, newest first; instants are ISO 8601."""

    limit: int = 20
    cursor: str | None = None
    user_type: str | None = None
    status: str | None = None
    external_user_id: str | None = None
    email: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class GetBalance(msgspec.Struct, frozen=True):
    """What a user has, in every currency."""

    user_id: str


class GetExternalBalance(msgspec.Struct, frozen=True):
    """What the books say of an account outside, as a `replies.ledger.ExternalBalance`: for who compares it with the rail."""

    account: str


class ListEntries(msgspec.Struct, frozen=True):
    """A page of what happened on a user's accounts, newest first."""

    user_id: str
    limit: int = 20
    cursor: str | None = None
    currency: str | None = None

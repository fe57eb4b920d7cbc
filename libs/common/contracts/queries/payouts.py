"""What payouts can be asked."""

import msgspec


class GetWallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet."""

    user_id: str


class GetDepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: str


class GetWithdrawal(msgspec.Struct, frozen=True):
    """One withdrawal."""

    withdrawal_id: str


class ListWithdrawals(msgspec.Struct, frozen=True):
    """A page of withdrawals, newest first; instants are ISO 8601."""

    limit: int = 20
    cursor: str | None = None
    status: str | None = None
    user_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None

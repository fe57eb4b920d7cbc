"""What payouts can be asked."""

import msgspec


class GetWallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet."""

    user_id: str


class GetDepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: str


class ListWalletTransactions(msgspec.Struct, frozen=True):
    """A page of what came to a user's wallet and went from it, newest first; instants are ISO 8601."""

    user_id: str
    limit: int = 20
    cursor: str | None = None
    created_after: str | None = None
    created_before: str | None = None


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


class GetSecondFactor(msgspec.Struct, frozen=True):
    """A user's second factor."""

    user_id: str


class RevealSecondFactor(msgspec.Struct, frozen=True):
    """The key of a second factor that is being set up."""

    user_id: str
    factor_id: str

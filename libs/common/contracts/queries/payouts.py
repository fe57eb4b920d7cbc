"""What payouts can be asked."""

import msgspec


class GetWallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet."""

    user_id: str


class GetDepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: str

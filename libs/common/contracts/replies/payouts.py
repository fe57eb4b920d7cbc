"""What payouts answers, in the public form."""

import msgspec


class Wallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet; its secret never leaves the service."""

    id: str
    user_id: str
    public_key: str
    provider: str
    network: str
    created_at: str


class DepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: str
    provider: str
    method: str
    address: str
    network: str
    asset_code: str
    instructions: str

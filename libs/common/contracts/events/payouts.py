"""What payouts announces."""

import msgspec


class WalletCreated(msgspec.Struct, frozen=True):
    """Announced as wallet.created."""

    user_id: str
    wallet_id: str
    public_key: str
    provider: str
    network: str

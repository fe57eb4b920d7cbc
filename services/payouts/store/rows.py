"""The payouts service's rows and tables as its write path works with them."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Table


class PartyRow(msgspec.Struct, frozen=True, gc=False):
    """A user as far as payouts must know it; `sequence` is that of the last event taken in."""

    tenant: str
    user_id: str
    status: str
    sequence: int


class WalletRow(msgspec.Struct, frozen=True, gc=False):
    """A user's deposit wallet; its secret is in a table that only the signer reads."""

    tenant: str
    id: str
    user_id: str
    public_key: str
    provider: str
    network: str
    sequence: int
    created_at: datetime


PARTIES: Final = Table(
    "parties",
    PartyRow,
    {"tenant": "text", "user_id": "text", "status": "text", "sequence": "bigint"},
    key=("tenant", "user_id"),
    lock=True,
)
WALLETS: Final = Table(
    "wallets",
    WalletRow,
    {
        "tenant": "text",
        "id": "text",
        "user_id": "text",
        "public_key": "text",
        "provider": "text",
        "network": "text",
        "sequence": "bigint",
        "created_at": "timestamptz",
    },
    key=("tenant", "user_id"),
    frozen_columns=("id", "public_key", "provider", "network", "created_at"),
)

LOCK_ORDER: Final = (PARTIES, WALLETS)
"""Every transaction touches the tables in this order, so no two wait for each other."""

"""What a payouts service of a test run is told, and a signer for it to ask."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.payouts.entrypoints.signer import signing
from services.payouts.settings import SignerSettings
from tests.support.chain import PASSPHRASE, address, key
from tests.support.workers import ROLE_SECRET

WALLET_KEYS: Final = f"test:{'6b' * 32}"
PAYOUTS: Final[dict[str, Any]] = {
    "network": "testnet",
    "horizon_url": "http://127.0.0.1:9",
    "network_passphrase": PASSPHRASE,
    "usdc_issuer": address("issuer"),
    "signer_socket": "/nowhere",
}
"""Nobody answers at this Horizon and this socket; a test that needs them puts its own in their place."""


def signer_settings(postgres_url: str, **others: Any) -> SignerSettings:
    """What a signer of a test run is told."""
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "wallet_keys": WALLET_KEYS,
        "sponsor_secret": key("sponsor").secret,
        "treasury_secret": key("treasury").secret,
        "signer_db_secret": ROLE_SECRET,
        **PAYOUTS,
        **others,
    }
    return SignerSettings(**values)


@contextlib.asynccontextmanager
async def a_signer(postgres_url: str, **others: Any) -> AsyncIterator[tuple[SignerSettings, asyncpg.Pool]]:
    """Run a signer on a migrated database for the length of a block, at a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="signer-") as directory:  # the path of a unix socket must be short
        settings = signer_settings(postgres_url, signer_socket=str(Path(directory) / "sock"), **others)
        async with signing(settings) as pool:
            yield settings, pool

"""What a payouts service of a test run is told of keys and of its Stellar network."""

from typing import Any, Final

from tests.support.chain import PASSPHRASE, address

PAYOUTS: Final[dict[str, Any]] = {
    "wallet_keys": f"test:{'6b' * 32}",
    "network": "testnet",
    "horizon_url": "http://127.0.0.1:9",
    "network_passphrase": PASSPHRASE,
    "usdc_issuer": address("issuer"),
}
"""Nobody answers at this Horizon; a test that needs one puts its own in its place."""

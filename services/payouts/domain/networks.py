"""The Stellar networks, and what deposits on them are made of."""

from typing import Final, Literal

Network = Literal["testnet", "mainnet"]

PROVIDER: Final = "stellar"
DEPOSIT_METHOD: Final = "stellar_address"
ASSET_CODE: Final = "USDC"


def deposit_instructions(network: str) -> str:
    """Tell a person what to send."""
    return f"Send {ASSET_CODE} to this address on the Stellar {network}. Other assets are not credited."

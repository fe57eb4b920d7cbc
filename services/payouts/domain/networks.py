"""The Stellar networks, and what deposits on them are made of."""

from typing import Final, Literal

Network = Literal["testnet", "mainnet"]

PROVIDER: Final = "stellar"
ASSET_CODE: Final = "USDC"


_PASSPHRASES: Final = {
    "testnet": "Test SDF Network ; September 2015",
    "mainnet": "Public Global Stellar Network ; September 2015",
}
_USDC_ISSUERS: Final = {
    "testnet": "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5",
    "mainnet": "GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN",
}
"""Circle's."""


def mismatch(network: Network, passphrase: str, usdc_issuer: str) -> str:
    """Say what does not fit together, and nothing if all does. `testnet` may be any network but the main one."""
    other: Network = "testnet" if network == "mainnet" else "mainnet"
    if passphrase == _PASSPHRASES[other] or (network == "mainnet" and passphrase != _PASSPHRASES[network]):
        return f"STELLAR_NETWORK_PASSPHRASE is not that of {network}: it must be '{_PASSPHRASES[network]}'"
    if usdc_issuer == _USDC_ISSUERS[other]:
        return f"STELLAR_USDC_ISSUER issues on {other}, but STELLAR_NETWORK is {network}: use {_USDC_ISSUERS[network]}"
    return ""

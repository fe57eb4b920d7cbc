"""What the payouts service reads from the environment."""

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from libs.common.settings import ServiceSettings
from services.payouts.domain.networks import Network, mismatch
from services.payouts.domain.strkey import is_account

_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")


class PayoutsSettings(ServiceSettings):
    """Which Stellar network wallets live on (nothing of it is defaulted), and what their secrets are sealed with."""

    wallet_keys: SecretStr = Field(validation_alias="OFFERHUB_WALLET_KEYS")
    """`keyid:hex64[,keyid:hex64]`: the first seals, all of them open."""
    network: Network = Field(validation_alias="STELLAR_NETWORK")
    horizon_url: str = Field(validation_alias="STELLAR_HORIZON_URL")
    network_passphrase: str = Field(validation_alias="STELLAR_NETWORK_PASSPHRASE", min_length=1)
    usdc_issuer: str = Field(validation_alias="STELLAR_USDC_ISSUER")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        """Refuse what can't be meant: an issuer that is no account, a plain connection to a far host, halves of two networks.

        Raises:
            ValueError: it names the variable and what to set it to.
        """
        if not is_account(self.usdc_issuer):
            raise ValueError(
                "STELLAR_USDC_ISSUER is no Stellar account: it must be the issuer's address, G and 55 more characters"
            )
        url = urlsplit(self.horizon_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _THIS_MACHINE):
            raise ValueError("STELLAR_HORIZON_URL must begin with https://, or with http:// for a Horizon on this machine")
        trouble = mismatch(self.network, self.network_passphrase, self.usdc_issuer)
        if trouble:
            raise ValueError(trouble)
        return self

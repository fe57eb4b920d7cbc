"""What the payouts service reads from the environment."""

from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from libs.common.settings import ServiceSettings
from services.payouts.domain.networks import Network, mismatch
from services.payouts.domain.strkey import is_account, is_secret

MAX_CHANNELS: Final = 18
"""So that the treasury and all channels are made in one transaction, which takes at most twenty signatures."""
_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")


class StellarSettings(ServiceSettings):
    """Which Stellar network wallets live on (nothing of it is defaulted), and where the signer is."""

    network: Network = Field(validation_alias="STELLAR_NETWORK")
    horizon_url: str = Field(validation_alias="STELLAR_HORIZON_URL")
    network_passphrase: str = Field(validation_alias="STELLAR_NETWORK_PASSPHRASE", min_length=1)
    usdc_issuer: str = Field(validation_alias="STELLAR_USDC_ISSUER")
    signer_socket: str = Field(validation_alias="OFFERHUB_SIGNER_SOCKET", min_length=1)
    """Path of the unix socket at which the signer answers."""

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


class PayoutsSettings(StellarSettings):
    """A payouts process knows no secret but its database role's."""


class SignerSettings(StellarSettings):
    """What the signer alone is told."""

    wallet_keys: SecretStr = Field(validation_alias="OFFERHUB_WALLET_KEYS")
    """`name[.version]:hex64[,…]`: the first wraps wallets' keys, all of them unwrap."""
    sponsor_secret: SecretStr = Field(validation_alias="STELLAR_SPONSOR_SECRET")
    """Of the account that pays reserves and fees, `S…`; the channels derive from it."""
    treasury_secret: SecretStr = Field(validation_alias="STELLAR_TREASURY_SECRET")
    """Of the account that holds the money, `S…`."""
    channels: int = Field(4, validation_alias="STELLAR_CHANNELS", ge=1, le=MAX_CHANNELS)
    signer_db_secret: SecretStr = Field(SecretStr(""), validation_alias="OFFERHUB_SIGNER_DB_SECRET")
    """Derives the password of the signer's role; empty means: connect exactly as DATABASE_URL says (development)."""
    peers: Annotated[tuple[int, ...], NoDecode] = Field((), validation_alias="OFFERHUB_SIGNER_USERS")
    """User ids, by commas, whose processes may ask, beside the signer's own."""

    @field_validator("sponsor_secret", "treasury_secret")
    @classmethod
    def _are_seeds(cls, secret: SecretStr) -> SecretStr:
        """Refuse what is no Stellar secret, without showing it.

        Raises:
            ValueError: always so.
        """
        if not is_secret(secret.get_secret_value()):
            raise ValueError("it is no Stellar secret: S and 55 more characters")
        return secret

    @field_validator("peers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Read numbers between commas."""
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

"""What the payouts service reads from the environment."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from libs.common.kernel.money import UNIT
from libs.common.settings import ServiceSettings
from services.payouts.domain.deposit_address import WalletMode
from services.payouts.domain.networks import Network, mismatch
from services.payouts.domain.strkey import is_account, is_secret
from services.payouts.domain.withdrawal_limits import Limits

MAX_UNITS: Final = 10**11
MAX_CHANNELS: Final = 18
"""So that the treasury and all channels are made in one transaction, which takes at most twenty signatures."""
Units = Annotated[int | None, Field(ge=1, le=MAX_UNITS), BeforeValidator(lambda value: None if value == "" else value)]
"""Whole units of a currency; empty: none."""
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

    wallets: WalletMode = Field("accounts", validation_alias="STELLAR_WALLETS")
    """`accounts`: each user has a Stellar account; `pooled`: all share the treasury, and a memo tells them apart."""
    scan: Literal["network", "account"] = Field("network", validation_alias="STELLAR_SCAN")
    """How deposits are found: `network` looks through every ledger and proves it; `account` asks for our accounts one by one."""
    scan_requests_per_hour: int = Field(1_800, validation_alias="STELLAR_SCAN_REQUESTS_PER_HOUR", ge=60, le=10_000_000)
    """What the scan of accounts may ask of Horizon."""
    sweep_over: int = Field(10, validation_alias="STELLAR_SWEEP_OVER", ge=0, le=MAX_UNITS)
    """A user's account that holds so many whole units of a currency is swept to the treasury; 0: none is."""
    sweep_seconds: int = Field(3_600, validation_alias="STELLAR_SWEEP_SECONDS", ge=1)
    """How often all accounts are looked through for that."""
    maximum: Units = Field(None, validation_alias="OFFERHUB_WITHDRAWAL_MAXIMUM")
    """Of one withdrawal, in whole units of its currency, as all amounts below; empty: none."""
    user_daily: Units = Field(None, validation_alias="OFFERHUB_WITHDRAWAL_USER_DAILY")
    """What a user may withdraw a day (UTC)."""
    daily: Units = Field(None, validation_alias="OFFERHUB_WITHDRAWAL_DAILY")
    """What all users of a marketplace and mode may withdraw a day."""
    second_factor_over: Units = Field(10_000, validation_alias="OFFERHUB_WITHDRAWAL_SECOND_FACTOR_OVER")
    """Above this a code of the user's second factor is asked for; empty: never."""
    approval_over: Units = Field(50_000, validation_alias="OFFERHUB_WITHDRAWAL_APPROVAL_OVER")
    """Above this a second API key must approve; empty: never."""
    cool_off_seconds: int = Field(0, validation_alias="OFFERHUB_WITHDRAWAL_COOL_OFF_SECONDS", ge=0, le=30 * 86_400)
    """How long a withdrawal to a destination that is new to its user waits before it leaves."""
    flag_over: Units = Field(1_000, validation_alias="OFFERHUB_WITHDRAWAL_FLAG_OVER")
    """Amounts up to this are never flagged; empty: no amount is."""
    flag_count: int = Field(10, validation_alias="OFFERHUB_WITHDRAWAL_FLAG_COUNT", ge=1)
    """More withdrawals of a user in a day are flagged."""

    @property
    def sweep_over_stroops(self) -> int:
        """From when on an account is swept; 0: none is."""
        return self.sweep_over * UNIT

    @property
    def limits(self) -> Limits:
        """What withdrawals are checked against, in stroops."""

        def stroops(units: int | None) -> int | None:
            return None if units is None else units * UNIT

        return Limits(
            maximum=stroops(self.maximum),
            user_daily=stroops(self.user_daily),
            daily=stroops(self.daily),
            second_factor_over=stroops(self.second_factor_over),
            approval_over=stroops(self.approval_over),
            cool_off=timedelta(seconds=self.cool_off_seconds),
            flag_over=stroops(self.flag_over),
            flag_count=self.flag_count,
        )


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

"""What the payouts service reads from the environment."""

from pydantic import Field, SecretStr

from libs.common.settings import ServiceSettings
from services.payouts.domain.networks import Network


class PayoutsSettings(ServiceSettings):
    """Where wallets live, and what their secrets are sealed with."""

    wallet_keys: SecretStr = Field(validation_alias="OFFERHUB_WALLET_KEYS")
    """`keyid:hex64[,keyid:hex64]`: the first seals, all of them open."""
    network: Network = Field("testnet", validation_alias="STELLAR_NETWORK")

"""What payouts answers, in the public form."""

from typing import Annotated, Literal

import msgspec

from libs.common.contracts.replies.kinds import Instant, UserId, WalletId, one_of, shown

Provider = Literal["stellar"]
StellarNetwork = Literal["testnet", "mainnet"]
PublicKey = Annotated[str, shown("A Stellar address", pattern="^G[A-Z2-7]{55}$")]


class Wallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet; its secret never leaves the service."""

    id: WalletId
    user_id: UserId
    public_key: PublicKey
    provider: Annotated[str, one_of(Provider)]
    network: Annotated[str, one_of(StellarNetwork)]
    created_at: Instant


class DepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: UserId
    provider: Annotated[str, one_of(Provider)]
    method: Annotated[str, one_of(Literal["stellar_address"])]
    address: PublicKey
    network: Annotated[str, one_of(StellarNetwork)]
    asset_code: Annotated[str, one_of(Literal["USDC"])]
    instructions: str

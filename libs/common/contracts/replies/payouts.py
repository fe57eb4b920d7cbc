"""What payouts answers, in the public form."""

from typing import Annotated, Any, Literal

import msgspec

from libs.common.contracts.replies.kinds import (
    Amount,
    Instant,
    QuotedCurrency,
    UserId,
    WalletId,
    WithdrawalId,
    one_of,
    shown,
)

Provider = Literal["stellar"]
StellarNetwork = Literal["testnet", "mainnet"]
WithdrawalStatus = Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELED"]
DestinationType = Literal["stellar"]
MemoType = Literal["text", "id", "hash"]
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


class Destination(msgspec.Struct, frozen=True):
    """Where a withdrawal goes."""

    type: Annotated[str, one_of(DestinationType)]
    address: Annotated[str, shown("A Stellar account, or one with a number in it", pattern="^[GM][A-Z2-7]{55,68}$")]
    memo_type: Annotated[str, one_of(MemoType)] | None = None
    memo: str | None = None


class Transaction(msgspec.Struct, frozen=True):
    """The transaction on the chain that decided on a withdrawal: it paid it or, of a canceled one, took its place."""

    hash: Annotated[str, shown(pattern="^[0-9a-f]{64}$")]
    ledger: int
    completed_at: Annotated[Instant, shown("When the books had it")] = msgspec.field(name="completedAt")


class Failure(msgspec.Struct, frozen=True):
    """Why a withdrawal did not arrive."""

    code: str
    reason: str


class Withdrawal(msgspec.Struct, frozen=True):
    """Money on its way out: PENDING, PROCESSING, then COMPLETED, FAILED or CANCELED."""

    id: WithdrawalId
    user_id: UserId
    user_id_too: UserId = msgspec.field(name="userId")
    """The same, as the guide spells it."""
    amount: Amount
    currency: QuotedCurrency
    status: Annotated[str, one_of(WithdrawalStatus)]
    destination: Destination
    description: str | None
    metadata: dict[str, Any] | None
    cancel_requested: bool
    """It was called off when it was on its way: whichever the network takes first decides."""
    transaction: Transaction | None
    failure: Failure | None
    created_at: Instant
    updated_at: Instant


class WithdrawalStanding(msgspec.Struct, frozen=True):
    """Where a withdrawal stood before a command changed it."""

    status: str
    cancel_requested: bool

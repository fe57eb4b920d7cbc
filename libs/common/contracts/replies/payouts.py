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


MuxedKey = Annotated[str, shown("The account and the memo in one", pattern="^M[A-Z2-7]{68}$")]
Memo = Annotated[str, shown("An id memo; a payment without it can't be credited", pattern="^[0-9]{1,19}$")]


class Wallet(msgspec.Struct, frozen=True):
    """A user's deposit wallet; its secret never leaves the service. `memo` is there when users share an account."""

    id: WalletId
    user_id: UserId
    public_key: PublicKey
    memo: Memo | None
    muxed_address: MuxedKey | None
    provider: Annotated[str, one_of(Provider)]
    network: Annotated[str, one_of(StellarNetwork)]
    created_at: Instant


class DepositAddress(msgspec.Struct, frozen=True):
    """Where a user's deposits go."""

    user_id: UserId
    provider: Annotated[str, one_of(Provider)]
    method: Annotated[str, one_of(Literal["stellar_address"])]
    address: PublicKey
    memo_type: Annotated[str, one_of(Literal["id"])] | None
    memo: Memo | None
    muxed_address: MuxedKey | None
    network: Annotated[str, one_of(StellarNetwork)]
    asset_code: Annotated[str, one_of(Literal["USDC"])]
    asset_issuer: PublicKey
    uri: Annotated[str, shown("All of it as wallets read it from a link (SEP-7)", pattern="^web\\+stellar:pay\\?")]
    qr_svg: Annotated[str, shown("The same as a QR code: an SVG image without a size of its own", pattern="^<svg ")]
    instructions: str


class WalletTransaction(msgspec.Struct, frozen=True):
    """Money that came to a wallet or went from it; `address` is the other side's."""

    id: Annotated[str, shown("A withdrawal's id, or a deposit's")]
    type: Annotated[str, one_of(Literal["deposit", "withdrawal"])]
    status: Annotated[str, one_of(WithdrawalStatus)]
    amount: Amount
    currency: QuotedCurrency
    address: str
    transaction_hash: Annotated[str, shown(pattern="^[0-9a-f]{64}$")] | None
    ledger: int | None
    created_at: Instant


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


class Hold(msgspec.Struct, frozen=True):
    """Why a withdrawal does not leave yet: a second person must agree, or its destination is new to the user."""

    reason: Annotated[str, one_of(Literal["APPROVAL", "NEW_DESTINATION"])]
    until: Instant | None


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
    hold: Hold | None
    flags: Annotated[tuple[str, ...], shown("What is unusual about it: AMOUNT, RATE, DESTINATION")]
    transaction: Transaction | None
    failure: Failure | None
    created_at: Instant
    updated_at: Instant


class WithdrawalStanding(msgspec.Struct, frozen=True):
    """Where a withdrawal stood before a command changed it."""

    status: str
    cancel_requested: bool


class SecondFactor(msgspec.Struct, frozen=True):
    """A user's second factor: PENDING until its first code is confirmed."""

    user_id: UserId
    status: Annotated[str, one_of(Literal["PENDING", "ACTIVE"])]
    created_at: Instant


class NewSecondFactor(SecondFactor, frozen=True):
    """A second factor in the answer that began it: the only one that shows its key."""

    secret: Annotated[str, shown("The key in base 32, as authenticator apps read it", pattern="^[A-Z2-7]{32}$")]
    uri: Annotated[str, shown("The same as a link", pattern="^otpauth://totp/")]
    qr_svg: Annotated[str, shown("The same as a QR code: an SVG image without a size of its own", pattern="^<svg ")]

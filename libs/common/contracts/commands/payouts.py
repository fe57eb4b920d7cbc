"""What payouts obeys. Amounts are stroops (10⁻⁷)."""

from typing import Any, Literal

import msgspec

from libs.common.kernel.money import Currency

Ending = Literal["PAID", "FAILED", "CANCELED"]
"""How the chain decided on a payment."""


class CreateWithdrawal(msgspec.Struct, frozen=True):
    """Pay a user's money out to an address elsewhere."""

    withdrawal_id: str
    user_id: str
    amount: int
    currency: Currency
    quoted_currency: str
    """What the caller wrote: USD, USDC or XLM; shown back as it came."""
    destination_type: str
    address: str
    memo_type: str | None = None
    memo: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    asked_by: str | None = None
    """The API key that asks."""
    second_factor_code: str | None = None


class ApproveWithdrawal(msgspec.Struct, frozen=True):
    """Agree to a withdrawal that waits for a second person."""

    withdrawal_id: str
    approved_by: str
    """The API key that agrees."""


class CancelWithdrawal(msgspec.Struct, frozen=True):
    """Call a withdrawal off; one that is on its way is stopped if the network has not taken it yet."""

    withdrawal_id: str
    reason: str | None = None


class RefreshWithdrawal(msgspec.Struct, frozen=True):
    """Ask again now for whatever the withdrawal waits for."""

    withdrawal_id: str


class ConcludeWithdrawal(msgspec.Struct, frozen=True):
    """The chain has decided: payouts tells itself, once for each closed slot that the withdrawal was in."""

    withdrawal_id: str
    ending: Ending
    transaction_hash: str
    ledger: int
    code: str | None = None
    """The operation's own result code, when it failed."""
    reason: str | None = None


class EnrolSecondFactor(msgspec.Struct, frozen=True):
    """Begin to set a user's second factor up; one that was begun before gives way."""

    user_id: str
    factor_id: str


class ConfirmSecondFactor(msgspec.Struct, frozen=True):
    """Take its first code: from then on it is in use."""

    user_id: str
    code: str


class RemoveSecondFactor(msgspec.Struct, frozen=True):
    """Remove a user's second factor."""

    user_id: str

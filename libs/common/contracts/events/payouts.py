"""What payouts announces. Amounts are decimal strings."""

import msgspec


class WalletCreated(msgspec.Struct, frozen=True):
    """Announced as wallet.created. Where users share an account, `memo` tells whose a payment is."""

    user_id: str
    wallet_id: str
    public_key: str
    provider: str
    network: str
    memo: str | None = None


class WithdrawalEvent(msgspec.Struct, frozen=True):
    """withdrawal.created and withdrawal.canceled: the user's balance has been debited, or has the amount again."""

    withdrawal_id: str
    user_id: str
    amount: str
    currency: str
    destination_type: str
    status: str


class WithdrawalFlagged(msgspec.Struct, frozen=True):
    """Announced as withdrawal.flagged: something about it is unusual. `needs_approval`: it waits for a second person."""

    withdrawal_id: str
    user_id: str
    amount: str
    currency: str
    destination_type: str
    address: str
    reasons: tuple[str, ...]
    needs_approval: bool


class WithdrawalCompleted(msgspec.Struct, frozen=True):
    """Announced as withdrawal.completed: the money has arrived. `transaction_hash` is None where the rail has no such thing."""

    withdrawal_id: str
    user_id: str
    amount: str
    currency: str
    destination_type: str
    transaction_hash: str | None


class WithdrawalFailed(msgspec.Struct, frozen=True):
    """Announced as withdrawal.failed; `funds_returned` tells whether the user's balance has the amount again."""

    withdrawal_id: str
    user_id: str
    amount: str
    currency: str
    reason: str
    funds_returned: bool

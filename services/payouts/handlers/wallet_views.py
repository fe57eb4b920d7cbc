"""What came to a wallet and went from it, as clients see it."""

from libs.common.contracts.replies.payouts import WalletTransaction
from libs.common.kernel.clock import wire_time
from libs.common.kernel.money import format_amount
from services.payouts.store.wallet_transactions import Movement


def transaction_view(movement: Movement) -> WalletTransaction:
    """Show one of them."""
    return WalletTransaction(
        id=movement.id,
        type=movement.type,
        status=movement.status,
        amount=format_amount(movement.amount),
        currency=movement.currency,
        address=movement.address,
        transaction_hash=movement.transaction_hash,
        ledger=movement.ledger,
        created_at=wire_time(movement.created_at),
    )

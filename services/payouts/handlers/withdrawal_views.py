"""Withdrawals as clients see them, and what is announced of them."""

import msgspec

from libs.common.contracts.events.payouts import WithdrawalCompleted, WithdrawalEvent, WithdrawalFailed, WithdrawalFlagged
from libs.common.contracts.replies import payouts as replies
from libs.common.kernel.clock import wire_time
from libs.common.kernel.money import format_amount
from libs.common.messaging.use_cases import Announce
from services.payouts.domain.withdrawals import Status, Withdrawal

_FAILED_WITHOUT_REASON = "The network refused the payment"


def withdrawal_view(withdrawal: Withdrawal) -> replies.Withdrawal:
    """Show a withdrawal."""
    is_over = withdrawal.status in (Status.COMPLETED, Status.CANCELED)
    transaction = None
    if is_over and withdrawal.transaction_hash is not None and withdrawal.transaction_ledger is not None:
        ended_at = wire_time(withdrawal.updated_at)
        transaction = replies.Transaction(withdrawal.transaction_hash, withdrawal.transaction_ledger, ended_at)
    failure = None
    if withdrawal.status == Status.FAILED:
        reason = withdrawal.failure_reason or _FAILED_WITHOUT_REASON
        failure = replies.Failure(withdrawal.failure_code or "", reason)
    return replies.Withdrawal(
        id=withdrawal.id,
        user_id=withdrawal.user_id,
        user_id_too=withdrawal.user_id,
        amount=format_amount(withdrawal.amount),
        currency=withdrawal.quoted_currency,
        status=withdrawal.status,
        destination=replies.Destination(withdrawal.destination_type, withdrawal.address, withdrawal.memo_type, withdrawal.memo),
        description=withdrawal.description,
        metadata=withdrawal.metadata,
        cancel_requested=withdrawal.cancel_requested,
        hold=_hold(withdrawal),
        flags=withdrawal.flags,
        transaction=transaction,
        failure=failure,
        created_at=wire_time(withdrawal.created_at),
        updated_at=wire_time(withdrawal.updated_at),
    )


def _hold(withdrawal: Withdrawal) -> replies.Hold | None:
    if withdrawal.status != Status.PENDING:
        return None
    until = None if withdrawal.hold_until is None else wire_time(withdrawal.hold_until)
    if withdrawal.needs_approval and withdrawal.approved_by is None:
        return replies.Hold("APPROVAL", until)
    return None if until is None else replies.Hold("NEW_DESTINATION", until)


def standing(withdrawal: Withdrawal) -> replies.WithdrawalStanding:
    """Say where a withdrawal stands: what a record of a change keeps of the state before it."""
    return replies.WithdrawalStanding(withdrawal.status, withdrawal.cancel_requested)


def tell(withdrawal: Withdrawal) -> tuple[Withdrawal, tuple[Announce, ...]]:
    """Announce where a withdrawal has come to; return the one that counted the event."""
    numbered = msgspec.structs.replace(withdrawal, sequence=withdrawal.sequence + 1)
    kind, data = _said(withdrawal)
    aggregate = f"withdrawal:{withdrawal.id}"
    return numbered, (Announce(kind, aggregate, numbered.sequence, data, user_ids=(withdrawal.user_id,)),)


def tell_begun(withdrawal: Withdrawal) -> tuple[Withdrawal, tuple[Announce, ...]]:
    """Announce a withdrawal whose debit is booked, and what is unusual about it."""
    numbered, events = tell(withdrawal)
    if not numbered.flags:
        return numbered, events
    flagged = msgspec.structs.replace(numbered, sequence=numbered.sequence + 1)
    data = WithdrawalFlagged(
        withdrawal.id,
        withdrawal.user_id,
        format_amount(withdrawal.amount),
        withdrawal.quoted_currency,
        withdrawal.destination_type,
        withdrawal.address,
        withdrawal.flags,
        needs_approval=withdrawal.needs_approval,
    )
    told = Announce("withdrawal.flagged", events[0].aggregate, flagged.sequence, data, user_ids=(withdrawal.user_id,))
    return flagged, (*events, told)


def _said(withdrawal: Withdrawal) -> tuple[str, msgspec.Struct]:
    amount, currency = format_amount(withdrawal.amount), withdrawal.quoted_currency
    about = withdrawal.id, withdrawal.user_id, amount, currency
    if withdrawal.status == Status.COMPLETED:
        return "withdrawal.completed", WithdrawalCompleted(*about, withdrawal.destination_type, withdrawal.transaction_hash)
    if withdrawal.status == Status.FAILED:
        reason = withdrawal.failure_reason or _FAILED_WITHOUT_REASON
        return "withdrawal.failed", WithdrawalFailed(*about, reason, funds_returned=True)
    kind = "withdrawal.canceled" if withdrawal.status == Status.CANCELED else "withdrawal.created"
    return kind, WithdrawalEvent(*about, withdrawal.destination_type, withdrawal.status)

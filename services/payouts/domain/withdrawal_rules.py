"""What stands in the way of a withdrawal, as refusals, in the order in which they are looked for."""

import re
from typing import Any, Final

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.kernel.errors import Refusal, invalid
from libs.common.kernel.money import UNIT, Currency, format_amount
from services.payouts.domain.strkey import account_address, read_account
from services.payouts.domain.withdrawals import WITHDRAWAL, Action, Status, Withdrawal

MINIMUM: Final[dict[Currency, int]] = {"USD": UNIT, "XLM": UNIT}
"""The smallest amount that is paid out, in stroops."""
STELLAR: Final = "stellar"
_MEMO_BYTES: Final = 28
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


def withdrawal_not_found(withdrawal_id: str) -> Refusal:
    """Say that there is no such withdrawal."""
    return Refusal("WITHDRAWAL_NOT_FOUND", "No such withdrawal", {"withdrawal_id": withdrawal_id})


def check_terms(terms: CreateWithdrawal, *, own_accounts: frozenset[str] = frozenset()) -> Refusal | None:
    """Check the destination, then the memo, then the amount; `own_accounts` are the platform's, which nobody withdraws to."""
    return _check_destination(terms, own_accounts) or _check_memo(terms) or _check_amount(terms)


def in_progress(withdrawal_id: str) -> Refusal:
    """Refuse a second withdrawal at a time."""
    details = {"withdrawal_id": withdrawal_id}
    return Refusal("WITHDRAWAL_IN_PROGRESS", "The user has a withdrawal under way", details)


def guard_cancel(withdrawal: Withdrawal) -> Refusal | None:
    """Refuse to call off what has ended, or what awaits the books."""
    if WITHDRAWAL.after(withdrawal.status, Action.CANCEL) is None:
        details: dict[str, Any] = {
            "withdrawal_id": withdrawal.id,
            "current_state": str(withdrawal.status),
            "allowed_states": [str(status) for status in WITHDRAWAL.allowing(Action.CANCEL)],
        }
        return Refusal("INVALID_STATE", f"A withdrawal that is {withdrawal.status} does not allow cancel", details)
    if withdrawal.pending is not None:
        booked = {"withdrawal_id": withdrawal.id, "current_state": str(withdrawal.status), "retryable": True}
        return Refusal("INVALID_STATE", "The withdrawal is being booked: look at it again", booked)
    return None


def is_in_flight(withdrawal: Withdrawal) -> bool:
    """Tell whether it has not come to an end."""
    return withdrawal.status in (Status.PENDING, Status.PROCESSING)


def _check_destination(terms: CreateWithdrawal, own_accounts: frozenset[str]) -> Refusal | None:
    details = {"field": "destination.address", "address": terms.address}
    if terms.destination_type != STELLAR:
        told = {"field": "destination.type", "type": terms.destination_type, "provider": STELLAR}
        return Refusal("INVALID_DESTINATION", "Withdrawals go to Stellar addresses: write the type stellar", told)
    key = read_account(terms.address)
    if key is None:
        return Refusal("INVALID_DESTINATION", "The destination is not valid", details)
    if account_address(key) in own_accounts:
        return Refusal("INVALID_DESTINATION", "The destination is an account of the platform itself", details)
    return None


def _check_memo(terms: CreateWithdrawal) -> Refusal | None:
    kind, memo = terms.memo_type, terms.memo
    if (kind is None) != (memo is None):
        return invalid("destination.memo", "memo and memo_type go together: write both or neither")
    if kind is None or memo is None:
        return None
    if terms.address.startswith("M"):
        return invalid("destination.memo", "an address that begins with M has its number in it and takes no memo")
    is_good = {
        "text": 0 < len(memo.encode()) <= _MEMO_BYTES,
        "id": _NUMBER.fullmatch(memo) is not None and int(memo) < 1 << 64,
        "hash": _HASH.fullmatch(memo) is not None,
    }
    if not is_good.get(kind, False):
        return invalid("destination.memo", "write text of up to 28 bytes, an id below 2^64, or a hash as 64 hex digits")
    return None


def _check_amount(terms: CreateWithdrawal) -> Refusal | None:
    minimum = MINIMUM[terms.currency]
    if terms.amount >= minimum:
        return None
    details = {"minimum": format_amount(minimum), "requested": format_amount(terms.amount), "currency": terms.currency}
    return Refusal("AMOUNT_BELOW_MINIMUM", "The amount is below the minimum", details)

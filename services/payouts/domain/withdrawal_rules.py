"""What stands in the way of a withdrawal, as refusals, in the order in which they are looked for."""

import re
from collections.abc import Set as AbstractSet
from typing import Any, Final

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.kernel.errors import Refusal, invalid
from libs.common.kernel.money import UNIT, Currency, format_amount
from services.payouts.domain.destinations import Sight, no_trustline
from services.payouts.domain.strkey import account_address, is_contract, read_account
from services.payouts.domain.withdrawals import WITHDRAWAL, Action, Status, Withdrawal

MINIMUM: Final[dict[Currency, int]] = {"USD": UNIT, "XLM": UNIT}
"""The smallest amount that is paid out, in stroops."""
STELLAR: Final = "stellar"
_SECRET: Final = re.compile(r"S[A-Z2-7]{55}", re.ASCII)
_BASE58: Final = "[1-9A-HJ-NP-Za-km-z]"
_ELSEWHERE: Final = (
    re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII),  # Ethereum and its kind
    re.compile(r"(bc|tb|ltc)1[02-9ac-hj-np-z]{8,87}", re.ASCII),  # Bitcoin, Litecoin
    re.compile(rf"[13T]{_BASE58}{{25,33}}", re.ASCII),  # Bitcoin, Tron
)
_MEMO_BYTES: Final = 28
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


def withdrawal_not_found(withdrawal_id: str) -> Refusal:
    """Say that there is no such withdrawal."""
    return Refusal("WITHDRAWAL_NOT_FOUND", "No such withdrawal", {"withdrawal_id": withdrawal_id})


def check_user(user_id: str, status: str | None) -> Refusal | None:
    """Refuse a user who is not there (no status) or not active; None: nothing is known against them."""
    if status is None:
        return None
    if not status:
        return Refusal("USER_NOT_FOUND", "No such user", {"field": "user_id", "user_id": user_id})
    return Refusal("USER_INACTIVE", "The user is not active", {"field": "user_id", "user_id": user_id, "status": status})


def check_terms(terms: CreateWithdrawal, *, own_accounts: AbstractSet[str] = frozenset(), own_wallet: str = "") -> Refusal | None:
    """Check the destination, then the memo, then the amount.

    Nobody withdraws to `own_accounts`, the platform's, nor to `own_wallet`, the account that the user's deposits go to.
    """
    return _check_destination(terms, own_accounts, own_wallet) or _check_memo(terms) or _check_amount(terms)


def check_sight(terms: CreateWithdrawal, sight: Sight | None) -> Refusal | None:
    """Check against what was seen of the destination's account; of what could not be looked at the chain decides."""
    if sight is None:
        return None
    if sight.wants_memo and terms.memo is None and not terms.address.startswith("M"):
        text = "The destination asks for a memo: write memo_type and memo as its owner says"
        return _invalid_destination("MEMO_REQUIRED", text, field="destination.memo", address=terms.address)
    return None if sight.can_receive else no_trustline(terms.address, sight, terms.currency)


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


def guard_approval(withdrawal: Withdrawal, approver: str) -> Refusal | None:
    """Refuse to approve what waits for nobody, and the approval of whoever asked for it."""
    is_awaited = withdrawal.needs_approval and withdrawal.approved_by is None and withdrawal.pending is None
    if withdrawal.status != Status.PENDING or not is_awaited:
        details = {"withdrawal_id": withdrawal.id, "current_state": str(withdrawal.status), "approved_by": withdrawal.approved_by}
        return Refusal("INVALID_STATE", "The withdrawal waits for no approval", details)
    if approver == withdrawal.asked_by:
        told = {"withdrawal_id": withdrawal.id, "actor": approver}
        return Refusal("FORBIDDEN_ACTOR", "The key that asked for a withdrawal can't approve it: use another", told)
    return None


def is_in_flight(withdrawal: Withdrawal) -> bool:
    """Tell whether it has not come to an end."""
    return withdrawal.status in (Status.PENDING, Status.PROCESSING)


def _check_destination(terms: CreateWithdrawal, own_accounts: AbstractSet[str], own_wallet: str) -> Refusal | None:
    if terms.destination_type != STELLAR:
        told = {"field": "destination.type", "type": terms.destination_type, "provider": STELLAR}
        return Refusal("INVALID_DESTINATION", "Withdrawals go to Stellar addresses: write the type stellar", told)
    key = read_account(terms.address)
    if key is None:
        return _no_account(terms.address)
    account = account_address(key)
    if account in own_accounts:
        return _invalid_destination("OWN_ACCOUNT", "The destination is an account of the platform itself", address=terms.address)
    if account == own_wallet:
        return _invalid_destination("OWN_WALLET", "The destination is the user's own deposit address", address=terms.address)
    return None


def _no_account(text: str) -> Refusal:
    """Say what is wrong with what is no address of an account; a secret key is not said back."""
    if _SECRET.fullmatch(text):
        return _invalid_destination("SECRET_KEY", "This looks like a secret key. Never send one to anybody: write the address")
    if is_contract(text):
        return _invalid_destination("CONTRACT", "Contracts can't be paid: write an account, G… or M…", address=text)
    if any(pattern.fullmatch(text) for pattern in _ELSEWHERE):
        return _invalid_destination("OTHER_NETWORK", "This is an address of another network than Stellar", address=text)
    return _invalid_destination("MALFORMED", "The destination is not valid", address=text)


def _invalid_destination(reason: str, message: str, *, field: str = "destination.address", **told: str) -> Refusal:
    return Refusal("INVALID_DESTINATION", message, {"field": field, "reason": reason, **told})


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

"""A withdrawal: what it is, where it can stand, and what it becomes when the books or the chain have answered."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from libs.common.contracts import accounts
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.contracts.commands.payouts import ConcludeWithdrawal
from libs.common.kernel.errors import InvariantViolationError, check
from libs.common.kernel.ids import derive_id
from libs.common.kernel.money import Currency
from libs.common.kernel.transitions import Transitions

RESEND_AFTER: Final = timedelta(seconds=3)
"""How long the ledger has to answer before it is asked again."""


class Status(StrEnum):
    """Where a withdrawal stands."""

    PENDING = "PENDING"
    """The user's balance is debited, and nothing has left yet."""
    PROCESSING = "PROCESSING"
    """It has been put into a transaction."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    """The network refused it; the user has the money again."""
    CANCELED = "CANCELED"
    """It was called off; the user has the money again."""


class Action(StrEnum):
    """What moves a withdrawal."""

    SEND = "send"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"


WITHDRAWAL: Final = Transitions(
    start=Status.PENDING,
    table={
        (Status.PENDING, Action.SEND): Status.PROCESSING,
        (Status.PENDING, Action.CANCEL): Status.CANCELED,
        (Status.PROCESSING, Action.COMPLETE): Status.COMPLETED,
        (Status.PROCESSING, Action.FAIL): Status.FAILED,
        (Status.PROCESSING, Action.CANCEL): Status.CANCELED,
    },
)


class Intent(msgspec.Struct, frozen=True):
    """What was asked of the ledger, and what the withdrawal becomes when the books have it."""

    action: Action | None
    """None: the debit that begins it."""
    version: int
    """The withdrawal's version when the intent was recorded: the answer to any other is stale."""
    journal_id: str
    journal: PostJournal
    """Exactly what was sent, so that it can be sent again."""
    command_id: str = ""
    """Who awaits the outcome; empty when nobody does."""


class Withdrawal(msgspec.Struct, frozen=True):
    """Money on its way out. `sequence` counts its events, `version` its changes.

    A status read from its own column is plain text that equals its member: compare with `==`, never with `is`.
    """

    tenant: str
    id: str
    user_id: str
    amount: int
    currency: Currency
    quoted_currency: str
    destination_type: str
    address: str
    memo_type: str | None
    memo: str | None
    description: str | None
    metadata: dict[str, Any] | None
    status: Status
    is_booked: bool
    """The books have the debit: until then nobody but its caller knows of it."""
    waiting_from: datetime | None
    """From when on it may be put into a transaction; None when it is in one, or must not be."""
    cancel_requested: bool
    cancel_reason: str | None
    transaction_hash: str | None
    """Of the transaction that decided on it."""
    transaction_ledger: int | None
    failure_code: str | None
    failure_reason: str | None
    version: int
    sequence: int
    pending: Intent | None
    pending_tries: int
    pending_due: datetime | None
    """When the sweeper sends the intent again."""
    asked_by: str | None
    """The API key that asked for it."""
    needs_approval: bool
    approved_by: str | None
    """Another API key."""
    hold_until: datetime | None
    """Before this it does not leave, because its destination is new."""
    flags: tuple[str, ...]
    """What was unusual about it."""
    created_at: datetime
    updated_at: datetime


def changed(withdrawal: Withdrawal, now: datetime, **changes: Any) -> Withdrawal:  # noqa: ANN401 - the fields of a withdrawal
    """Return the next version."""
    return msgspec.structs.replace(withdrawal, version=withdrawal.version + 1, updated_at=now, **changes)


def intend(
    withdrawal: Withdrawal,
    action: Action | None,
    now: datetime,
    *,
    command_id: str = "",
    **changes: Any,  # noqa: ANN401 - the fields of a withdrawal
) -> Withdrawal:
    """Record a question to the ledger; the status stays until it is answered."""
    check(withdrawal.pending is None, f"{withdrawal.id} awaits an answer already")
    check(action is None or WITHDRAWAL.after(withdrawal.status, action) is not None, f"{withdrawal.id} does not allow {action}")
    version = withdrawal.version + 1
    journal_id = derive_id("jrn", withdrawal.tenant, withdrawal.id, version)
    intent = Intent(action, version, journal_id, _journal(withdrawal, action), command_id)
    return changed(withdrawal, now, pending=intent, pending_tries=0, pending_due=now + RESEND_AFTER, **changes)


def _journal(withdrawal: Withdrawal, action: Action | None) -> PostJournal:
    own, clearing = accounts.available(withdrawal.user_id), accounts.clearing(withdrawal.id)
    kind: accounts.JournalKind
    if action is None:
        kind, leg = "withdraw", Posting(own, clearing, withdrawal.amount)
    elif action == Action.COMPLETE:
        kind, leg = "settle", Posting(clearing, accounts.EXTERNAL_STELLAR, withdrawal.amount)
    else:
        kind, leg = "return", Posting(clearing, own, withdrawal.amount)
    return PostJournal(kind, withdrawal.currency, (leg,), subject=withdrawal.id)


def booked(withdrawal: Withdrawal, now: datetime) -> Withdrawal:
    """Go on after the debit is in the books: it may be sent, unless somebody has to agree first."""
    if withdrawal.needs_approval:
        return changed(withdrawal, now, is_booked=True, pending=None, pending_due=None)
    return released(withdrawal, now, is_booked=True, pending=None, pending_due=None)


def released(withdrawal: Withdrawal, now: datetime, **changes: Any) -> Withdrawal:  # noqa: ANN401 - the fields of a withdrawal
    """Let it be sent, from now on or from the end of its hold."""
    return changed(withdrawal, now, waiting_from=max(now, withdrawal.hold_until or now), **changes)


def ended(withdrawal: Withdrawal, intent: Intent, now: datetime) -> Withdrawal:
    """Come to the end that the books now have.

    Raises:
        InvariantViolationError: the withdrawal can't have got where it is.
    """
    status = None if intent.action is None else WITHDRAWAL.after(withdrawal.status, intent.action)
    if status is None:
        raise InvariantViolationError(f"{withdrawal.id} is {withdrawal.status} with {intent.action} under way")
    return changed(withdrawal, now, status=status, pending=None, pending_due=None)


_ENDINGS: Final = {"PAID": Action.COMPLETE, "FAILED": Action.FAIL, "CANCELED": Action.CANCEL}


def decided_by_chain(withdrawal: Withdrawal, told: ConcludeWithdrawal, now: datetime) -> Withdrawal | None:
    """Record what the chain decided as an intent to book it; None when that is known already."""
    is_open = withdrawal.status == Status.PROCESSING and withdrawal.pending is None and withdrawal.waiting_from is None
    if not is_open:
        return None
    return intend(
        withdrawal,
        _ENDINGS[told.ending],
        now,
        transaction_hash=told.transaction_hash,
        transaction_ledger=told.ledger,
        failure_code=told.code,
        failure_reason=told.reason,
    )


def reference_of(withdrawal_id: str, user_id: str, version: int) -> str:
    """Write the note that the ledger gives back with its answer."""
    return f"{withdrawal_id}:{user_id}:{version}"


def read_reference(reference: str) -> tuple[str, str, int]:
    """Read (withdrawal id, user id, version) from the note on an answer.

    Raises:
        InvariantViolationError: it is none of ours.
    """
    withdrawal_id, _, rest = reference.partition(":")
    user_id, _, version = rest.rpartition(":")
    if not withdrawal_id or not user_id or not version.isdecimal():
        raise InvariantViolationError(f"{reference!r} is no reference to an intent")
    return withdrawal_id, user_id, int(version)

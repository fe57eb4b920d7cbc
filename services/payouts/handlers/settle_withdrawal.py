"""The ledger's answer about a withdrawal: it begins, comes to its end, or was never there."""

from typing import Any

from libs.common.contracts.envelope import Reply
from libs.common.kernel.errors import InvariantViolationError
from libs.common.messaging.use_cases import Answer, Context, Decision, row
from libs.common.persistence.rows import Key, Table
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawals import Intent, Withdrawal, booked, ended, read_reference
from services.payouts.handlers.withdrawal_views import standing, tell, withdrawal_view
from services.payouts.store.withdrawals import IN_FLIGHT, WITHDRAWALS


def needs(_: Reply, context: Context) -> Needs:
    """Name the withdrawal that the note on the answer tells of, and its user's place."""
    withdrawal_id, user_id, _version = read_reference(context.reference)
    return Needs(rows=((WITHDRAWALS, (context.tenant, withdrawal_id)), (IN_FLIGHT, (context.tenant, user_id))))


def decide(state: State, message: Reply, context: Context) -> Decision:
    """Finish the intent; an answer to any but the pending one is stale and changes nothing."""
    withdrawal_id, _user_id, version = read_reference(context.reference)
    found = state.get(WITHDRAWALS, (context.tenant, withdrawal_id))
    intent = None if found is None else found.pending
    if found is None or intent is None or intent.version != version:
        return Decision()
    if message.refusal is not None:
        if intent.action is not None:
            raise InvariantViolationError(f"the ledger refuses {intent.journal.kind} of {found.id}: {message.refusal.code}")
        return _never_was(found, intent, message)
    if intent.action is None:
        begun, events = tell(booked(found, context.now))
        return Decision(
            rows=(row(WITHDRAWALS, begun),), events=events, answers=(Answer(intent.command_id, withdrawal_view(begun)),)
        )
    over, events = tell(ended(found, intent, context.now))
    answers = (Answer(intent.command_id, withdrawal_view(over), standing(found)),) if intent.command_id else ()
    return Decision(rows=(row(WITHDRAWALS, over),), removed=(_held(found),), events=events, answers=answers)


def _never_was(found: Withdrawal, intent: Intent, message: Reply) -> Decision:
    """Forget a withdrawal whose debit was refused: it changed nothing, and its caller hears why."""
    if message.refusal is None:
        raise InvariantViolationError(f"{found.id} was not refused")
    removed = ((WITHDRAWALS, (found.tenant, found.id)), _held(found))
    return Decision(removed=removed, answers=(Answer(intent.command_id, message.refusal),))


def _held(found: Withdrawal) -> tuple[Table[Any], Key]:
    return IN_FLIGHT, (found.tenant, found.user_id)

"""The ledger's answer about a withdrawal: it begins, comes to its end, or was never there."""

from typing import Any

import msgspec

from libs.common.contracts.envelope import Reply
from libs.common.kernel.errors import InvariantViolationError
from libs.common.kernel.money import CURRENCIES
from libs.common.messaging.use_cases import Answer, Context, Decision, row
from libs.common.persistence.rows import Key, Table
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawal_limits import EVERYBODY, KnownDestination, given_back
from services.payouts.domain.withdrawals import Action, Intent, Withdrawal, booked, ended, read_reference
from services.payouts.handlers.withdrawal_views import standing, tell, tell_begun, withdrawal_view
from services.payouts.store.withdrawals import DESTINATIONS, IN_FLIGHT, SPENDING, WITHDRAWALS


def needs(_: Reply, context: Context) -> Needs:
    """Name the withdrawal that the note on the answer tells of, and its user's place."""
    withdrawal_id, user_id, _version = read_reference(context.reference)
    tenant, user = context.tenant, (context.tenant, user_id)
    counted = tuple((SPENDING, (tenant, who, currency)) for who in (user_id, EVERYBODY) for currency in CURRENCIES)
    return Needs(rows=((WITHDRAWALS, (tenant, withdrawal_id)), (IN_FLIGHT, user), *counted))


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
        return _never_was(state, found, intent, message)
    if intent.action is None:
        return _begun(state, found, intent, context)
    over, events = tell(ended(found, intent, context.now))
    answers = (Answer(intent.command_id, withdrawal_view(over), standing(found)),) if intent.command_id else ()
    counts = () if intent.action == Action.COMPLETE else _given_back(state, found)
    return Decision(rows=(row(WITHDRAWALS, over), *counts), removed=(_held(found),), events=events, answers=answers)


def _begun(state: State, found: Withdrawal, intent: Intent, context: Context) -> Decision:
    """Show a withdrawal whose debit is booked; from now on its destination is known."""
    begun, events = tell_begun(booked(found, context.now))
    held = state.get(IN_FLIGHT, (found.tenant, found.user_id))
    rows = [row(WITHDRAWALS, begun)]
    if held is not None and held.new_destination is not None:
        rows.append(row(DESTINATIONS, KnownDestination(found.tenant, found.user_id, held.new_destination, context.now)))
    return Decision(rows=tuple(rows), events=events, answers=(Answer(intent.command_id, withdrawal_view(begun)),))


def _never_was(state: State, found: Withdrawal, intent: Intent, message: Reply) -> Decision:
    """Forget a withdrawal whose debit was refused: it changed nothing, and its caller hears why."""
    if message.refusal is None:
        raise InvariantViolationError(f"{found.id} was not refused")
    removed = ((WITHDRAWALS, (found.tenant, found.id)), _held(found))
    return Decision(rows=_given_back(state, found), removed=removed, answers=(Answer(intent.command_id, message.refusal),))


def _given_back(state: State, found: Withdrawal) -> tuple[tuple[Table[Any], msgspec.Struct], ...]:
    """Take it out of what was withdrawn today."""
    before = [state.get(SPENDING, (found.tenant, who, found.currency)) for who in (found.user_id, EVERYBODY)]
    return tuple(row(SPENDING, after) for each in before if (after := given_back(each, found)) is not None)


def _held(found: Withdrawal) -> tuple[Table[Any], Key]:
    return IN_FLIGHT, (found.tenant, found.user_id)

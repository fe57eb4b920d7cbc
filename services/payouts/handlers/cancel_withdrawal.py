"""Call a withdrawal off: at once while it waits, and by winning its place on the chain when it is on its way."""

from libs.common.contracts.commands.payouts import CancelWithdrawal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawal_rules import guard_cancel, withdrawal_not_found
from services.payouts.domain.withdrawals import Action, Status, changed, intend
from services.payouts.handlers.withdrawal_asking import journal_of, needs_withdrawal
from services.payouts.handlers.withdrawal_views import standing, withdrawal_view
from services.payouts.store.withdrawals import WITHDRAWALS


def needs(message: CancelWithdrawal, context: Context) -> Needs:
    """Name the withdrawal."""
    return needs_withdrawal(context.tenant, message.withdrawal_id)


def decide(state: State, message: CancelWithdrawal, context: Context) -> Decision:
    """Give the money back when nothing has left; else note the wish, and the chain decides."""
    found = state.get(WITHDRAWALS, (context.tenant, message.withdrawal_id))
    if found is None or not found.is_booked:
        return Decision(reply=withdrawal_not_found(message.withdrawal_id))
    refusal = guard_cancel(found)
    if refusal is not None:
        return Decision(reply=refusal)
    if found.waiting_from is not None or found.status == Status.PENDING:
        wish = {"waiting_from": None, "cancel_requested": True, "cancel_reason": message.reason}
        recalled = intend(found, Action.CANCEL, context.now, command_id=context.message_id, **wish)
        return Decision(rows=(row(WITHDRAWALS, recalled),), commands=(journal_of(recalled),))
    asked = changed(found, context.now, cancel_requested=True, cancel_reason=message.reason)
    return Decision(reply=withdrawal_view(asked), rows=(row(WITHDRAWALS, asked),), before=standing(found))

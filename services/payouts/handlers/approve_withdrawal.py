"""A second person agrees to a withdrawal above the threshold: it may be sent from now on."""

from libs.common.contracts.commands.payouts import ApproveWithdrawal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawal_rules import guard_approval, withdrawal_not_found
from services.payouts.domain.withdrawals import released
from services.payouts.handlers.withdrawal_asking import needs_withdrawal
from services.payouts.handlers.withdrawal_views import standing, withdrawal_view
from services.payouts.store.withdrawals import WITHDRAWALS


def needs(message: ApproveWithdrawal, context: Context) -> Needs:
    """Name the withdrawal."""
    return needs_withdrawal(context.tenant, message.withdrawal_id)


def decide(state: State, message: ApproveWithdrawal, context: Context) -> Decision:
    """Let it wait for its slot; whoever asked for it can't approve it."""
    found = state.get(WITHDRAWALS, (context.tenant, message.withdrawal_id))
    if found is None or not found.is_booked:
        return Decision(reply=withdrawal_not_found(message.withdrawal_id))
    refusal = guard_approval(found, message.approved_by)
    if refusal is not None:
        return Decision(reply=refusal)
    approved = released(found, context.now, approved_by=message.approved_by)
    return Decision(reply=withdrawal_view(approved), rows=(row(WITHDRAWALS, approved),), before=standing(found))

"""Ask again now for whatever a withdrawal waits for."""

import msgspec

from libs.common.contracts.commands.payouts import RefreshWithdrawal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawal_rules import withdrawal_not_found
from services.payouts.handlers.withdrawal_asking import needs_withdrawal
from services.payouts.handlers.withdrawal_views import withdrawal_view
from services.payouts.store.withdrawals import WITHDRAWALS


def needs(message: RefreshWithdrawal, context: Context) -> Needs:
    """Name the withdrawal."""
    return needs_withdrawal(context.tenant, message.withdrawal_id)


def decide(state: State, message: RefreshWithdrawal, context: Context) -> Decision:
    """Make its next question due, and show it as it stands; the chain is looked at all the time anyway."""
    found = state.get(WITHDRAWALS, (context.tenant, message.withdrawal_id))
    if found is None or not found.is_booked:
        return Decision(reply=withdrawal_not_found(message.withdrawal_id))
    if found.pending is None:
        return Decision(reply=withdrawal_view(found))
    due = msgspec.structs.replace(found, pending_due=context.now)
    return Decision(reply=withdrawal_view(found), rows=(row(WITHDRAWALS, due),))

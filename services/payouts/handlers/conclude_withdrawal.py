"""What the chain decided about a withdrawal goes into the books."""

from libs.common.contracts.commands.payouts import ConcludeWithdrawal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.withdrawals import decided_by_chain
from services.payouts.handlers.withdrawal_asking import journal_of, needs_withdrawal
from services.payouts.store.withdrawals import WITHDRAWALS


def needs(message: ConcludeWithdrawal, context: Context) -> Needs:
    """Name the withdrawal."""
    return needs_withdrawal(context.tenant, message.withdrawal_id)


def decide(state: State, message: ConcludeWithdrawal, context: Context) -> Decision:
    """Ask the ledger to settle it or to give it back; whoever says it again changes nothing."""
    found = state.get(WITHDRAWALS, (context.tenant, message.withdrawal_id))
    concluded = None if found is None else decided_by_chain(found, message, context.now)
    if concluded is None:
        return Decision()
    return Decision(rows=(row(WITHDRAWALS, concluded),), commands=(journal_of(concluded),))

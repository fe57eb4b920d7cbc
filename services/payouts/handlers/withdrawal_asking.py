"""How payouts asks the ledger about a withdrawal, and how it finds one."""

from libs.common.kernel.errors import InvariantViolationError
from libs.common.messaging.use_cases import Send
from libs.common.persistence.state import Needs
from services.payouts.domain.withdrawals import Intent, Withdrawal, reference_of
from services.payouts.store.withdrawals import WITHDRAWALS


def question(withdrawal_id: str, user_id: str, intent: Intent) -> Send:
    """Make the question to the ledger; the same intent always makes the same one."""
    return Send("ledger", intent.journal_id, intent.journal, reference_of(withdrawal_id, user_id, intent.version))


def journal_of(withdrawal: Withdrawal) -> Send:
    """Make the question that a withdrawal's intent is."""
    if withdrawal.pending is None:
        raise InvariantViolationError(f"{withdrawal.id} has nothing to ask")
    return question(withdrawal.id, withdrawal.user_id, withdrawal.pending)


def needs_withdrawal(tenant: str, withdrawal_id: str) -> Needs:
    """Name one withdrawal."""
    return Needs(rows=((WITHDRAWALS, (tenant, withdrawal_id)),))

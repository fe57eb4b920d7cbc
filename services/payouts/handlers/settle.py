"""An answer of the ledger goes to what asked: the note on it says whether that was a deposit or a withdrawal."""

from libs.common.contracts.envelope import Reply
from libs.common.messaging.use_cases import Context, Decision, UseCase
from libs.common.persistence.state import Needs, State
from services.payouts.handlers import settle_deposit, settle_withdrawal
from services.payouts.handlers.deposit_asking import is_about_a_deposit


def needs(message: Reply, context: Context) -> Needs:
    """Name what the asker needs."""
    return _asker(context).needs(message, context)


def decide(state: State, message: Reply, context: Context) -> Decision:
    """Decide as the asker does."""
    return _asker(context).decide(state, message, context)


def _asker(context: Context) -> UseCase[Reply]:
    return settle_deposit if is_about_a_deposit(context.reference) else settle_withdrawal

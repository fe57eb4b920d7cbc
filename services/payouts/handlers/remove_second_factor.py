"""Support removes a user's second factor: the phone was lost."""

from libs.common.contracts.commands.payouts import RemoveSecondFactor
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.payouts.domain.second_factors import factor_not_found
from services.payouts.handlers.factor_views import factor_view
from services.payouts.store.second_factors import FACTORS


def needs(message: RemoveSecondFactor, context: Context) -> Needs:
    """See what the user has."""
    return Needs(rows=((FACTORS, (context.tenant, message.user_id)),))


def decide(state: State, message: RemoveSecondFactor, context: Context) -> Decision:
    """Remove it, and show what it was."""
    key = (context.tenant, message.user_id)
    factor = state.get(FACTORS, key)
    if factor is None:
        return Decision(reply=factor_not_found(message.user_id))
    return Decision(reply=factor_view(factor), removed=((FACTORS, key),), before=factor_view(factor))

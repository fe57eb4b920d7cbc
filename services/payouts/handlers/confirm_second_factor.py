"""A user shows the first code: from now on the second factor is in use."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.contracts.commands.payouts import ConfirmSecondFactor
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.second_factors import checked, factor_not_found
from services.payouts.handlers.factor_views import factor_view
from services.payouts.handlers.match_codes import Asked
from services.payouts.store.second_factors import FACTORS


@dataclass(frozen=True, slots=True)
class ConfirmSecondFactors:
    """The use case; `book` has the step of each code that was shown."""

    steps: Mapping[Asked, int]

    def needs(self, message: ConfirmSecondFactor, context: Context) -> Needs:
        """See what the user has."""
        return Needs(rows=((FACTORS, (context.tenant, message.user_id)),))

    def decide(self, state: State, message: ConfirmSecondFactor, context: Context) -> Decision:
        """Take the code, or count it as wrong."""
        factor = state.get(FACTORS, (context.tenant, message.user_id))
        if factor is None:
            return Decision(reply=factor_not_found(message.user_id))
        step = self.steps.get((context.tenant, factor.id, message.code), 0)
        after, refusal = checked(factor, step, context.now)
        return Decision(reply=refusal or factor_view(after), rows=(row(FACTORS, after),))

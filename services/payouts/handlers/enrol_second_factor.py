"""Begin to set a user's second factor up: its key is asked of the signer, and shown to nobody once a code of it was taken."""

from libs.common.contracts.commands.payouts import EnrolSecondFactor
from libs.common.kernel.errors import Refusal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.second_factors import Factor
from services.payouts.handlers.factor_views import factor_view
from services.payouts.store.rows import WALLETS
from services.payouts.store.second_factors import FACTORS


def needs(message: EnrolSecondFactor, context: Context) -> Needs:
    """See what the user has."""
    user = (context.tenant, message.user_id)
    return Needs(rows=((WALLETS, user), (FACTORS, user)))


def decide(state: State, message: EnrolSecondFactor, context: Context) -> Decision:
    """Begin anew, unless one is in use: support removes it first."""
    wallet = state.get(WALLETS, (context.tenant, message.user_id))
    if wallet is None:
        return Decision(reply=Refusal("WALLET_NOT_FOUND", "The user has no wallet yet", {"user_id": message.user_id}))
    before = state.get(FACTORS, (context.tenant, message.user_id))
    if before is not None and before.state == "ACTIVE":
        details = {"user_id": message.user_id, "current_state": before.state}
        return Decision(reply=Refusal("INVALID_STATE", "The user has a second factor already: remove it first", details))
    begun = Factor(
        tenant=context.tenant,
        user_id=message.user_id,
        id=message.factor_id,
        wallet_id=wallet.id,
        state="PENDING",
        last_step=0,
        failures=0 if before is None else before.failures,
        locked_until=None if before is None else before.locked_until,
        created_at=context.now,
    )
    return Decision(reply=factor_view(begun), rows=(row(FACTORS, begun),))

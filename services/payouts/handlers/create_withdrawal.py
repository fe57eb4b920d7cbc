"""Take a withdrawal on: the user's balance is debited first, and only then it may leave."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.state import Needs, State
from services.payouts.domain.destinations import Destination, no_trustline
from services.payouts.domain.withdrawal_rules import check_terms, in_progress
from services.payouts.domain.withdrawals import Status, Withdrawal, intend
from services.payouts.handlers.look_at_destinations import destination_of
from services.payouts.handlers.withdrawal_asking import journal_of
from services.payouts.store.withdrawals import IN_FLIGHT, WITHDRAWALS, InFlightRow


@dataclass(frozen=True, slots=True)
class CreateWithdrawals:
    """The use case; to `own_accounts`, the platform's on the network, nobody withdraws."""

    own_accounts: frozenset[str] = frozenset()
    unable: AbstractSet[Destination] = frozenset()
    """Destinations that were just seen without a trustline."""

    def needs(self, message: CreateWithdrawal, context: Context) -> Needs:
        """See what the user has under way."""
        tenant = context.tenant
        return Needs(rows=((WITHDRAWALS, (tenant, message.withdrawal_id)), (IN_FLIGHT, (tenant, message.user_id))))

    def decide(self, state: State, message: CreateWithdrawal, context: Context) -> Decision:
        """Ask the ledger for the debit; it says whether the user is there, is active, and has the money."""
        refusal = check_terms(message, own_accounts=self.own_accounts)
        if refusal is not None:
            return Decision(reply=refusal)
        under_way = state.get(IN_FLIGHT, (context.tenant, message.user_id))
        if under_way is not None:
            return Decision(reply=in_progress(under_way.withdrawal_id))
        if destination_of(message) in self.unable:
            return Decision(reply=no_trustline(message.address))
        begun = intend(_draft(message, context), None, context.now, command_id=context.message_id)
        held = InFlightRow(context.tenant, message.user_id, begun.id)
        return Decision(rows=(row(WITHDRAWALS, begun), row(IN_FLIGHT, held)), commands=(journal_of(begun),))


def _draft(message: CreateWithdrawal, context: Context) -> Withdrawal:
    return Withdrawal(
        tenant=context.tenant,
        id=message.withdrawal_id,
        user_id=message.user_id,
        amount=message.amount,
        currency=message.currency,
        quoted_currency=message.quoted_currency,
        destination_type=message.destination_type,
        address=message.address,
        memo_type=message.memo_type,
        memo=message.memo,
        description=message.description,
        metadata=message.metadata,
        status=Status.PENDING,
        is_booked=False,
        waiting_from=None,
        cancel_requested=False,
        cancel_reason=None,
        transaction_hash=None,
        transaction_ledger=None,
        failure_code=None,
        failure_reason=None,
        version=0,
        sequence=0,
        pending=None,
        pending_tries=0,
        pending_due=None,
        created_at=context.now,
        updated_at=context.now,
    )

"""Take a withdrawal on: the user's balance is debited first, and only then it may leave."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import msgspec

from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import Currency
from libs.common.messaging.use_cases import Context, Decision, row
from libs.common.persistence.rows import Table
from libs.common.persistence.state import Needs, State
from services.payouts.domain.destinations import Destination, Sight
from services.payouts.domain.second_factors import checked, required
from services.payouts.domain.withdrawal_limits import (
    EVERYBODY,
    Limits,
    Spent,
    check_limits,
    destination_name,
    flags_of,
    hold_until,
    spending,
    spent_today,
)
from services.payouts.domain.withdrawal_rules import check_sight, check_terms, check_user, in_progress
from services.payouts.domain.withdrawals import Status, Withdrawal, intend
from services.payouts.handlers.look_at_destinations import destination_of
from services.payouts.handlers.match_codes import Asked
from services.payouts.handlers.withdrawal_asking import journal_of
from services.payouts.store.rows import WALLETS
from services.payouts.store.second_factors import FACTORS
from services.payouts.store.withdrawals import DESTINATIONS, IN_FLIGHT, SPENDING, WITHDRAWALS, InFlightRow

Rows = tuple[tuple[Table[Any], msgspec.Struct], ...]


@dataclass(frozen=True, slots=True)
class CreateWithdrawals:
    """The use case; to `own_accounts`, the platform's on the network, nobody withdraws."""

    own_accounts: AbstractSet[str] = frozenset()
    seen: Mapping[Destination, Sight] = field(default_factory=dict)
    """What was just seen of destinations."""
    inactive: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Who was just heard not to be active; see `PartyBook`."""

    limits: Limits = field(default_factory=Limits)
    steps: Mapping[Asked, int] = field(default_factory=dict)
    """Of the codes that were shown; see `CodeBook`."""

    def needs(self, message: CreateWithdrawal, context: Context) -> Needs:
        """See what the user has under way and has withdrawn today, and where the user's own deposits go."""
        tenant, user = context.tenant, (context.tenant, message.user_id)
        counted = (
            [(*user, message.currency)] if self.limits.daily is None else [(*user, message.currency), _all(message, context)]
        )
        return Needs(
            rows=(
                (WALLETS, user),
                (WITHDRAWALS, (tenant, message.withdrawal_id)),
                (IN_FLIGHT, user),
                (FACTORS, user),
                (DESTINATIONS, (*user, destination_name(message.address, message.memo))),
                *((SPENDING, key) for key in counted),
            )
        )

    def decide(self, state: State, message: CreateWithdrawal, context: Context) -> Decision:
        """Ask the ledger for the debit; it has the last word on whether the user is there, is active, and has the money."""
        spent = self._spent(state, message, context)
        refusal = self._refusal(state, message, context, spent)
        if refusal is not None:
            return Decision(reply=refusal)
        factors, refusal = self._second_factor(state, message, context)
        if refusal is not None:
            return Decision(reply=refusal, rows=factors)
        return self._begun(state, message, context, spent, factors)

    def _begun(
        self,
        state: State,
        message: CreateWithdrawal,
        context: Context,
        spent: tuple[Spent, Spent | None],
        factors: Rows,
    ) -> Decision:
        destination = destination_name(message.address, message.memo)
        known = state.get(DESTINATIONS, (context.tenant, message.user_id, destination))
        draft = msgspec.structs.replace(
            _draft(message, context),
            needs_approval=self.limits.approval_over is not None and message.amount > self.limits.approval_over,
            hold_until=hold_until(self.limits, known, context.now),
            flags=flags_of(self.limits, message.amount, spent[0], is_new_destination=known is None),
        )
        begun = intend(draft, None, context.now, command_id=context.message_id)
        held = InFlightRow(context.tenant, message.user_id, begun.id, destination if known is None else None)
        counted = (row(SPENDING, spending(each, message.amount)) for each in spent if each is not None)
        rows = (row(WITHDRAWALS, begun), row(IN_FLIGHT, held), *factors, *counted)
        return Decision(rows=rows, commands=(journal_of(begun),))

    def _second_factor(self, state: State, message: CreateWithdrawal, context: Context) -> tuple[Rows, Refusal | None]:
        """Judge the code of a large withdrawal; a code is used up by this, right or wrong."""
        threshold = self.limits.second_factor_over
        if threshold is None or message.amount <= threshold:
            return (), None
        factor, code = state.get(FACTORS, (context.tenant, message.user_id)), message.second_factor_code
        missing = required(factor, threshold, code)
        if missing is not None or factor is None or code is None:
            return (), missing
        after, refusal = checked(factor, self.steps.get((context.tenant, factor.id, code), 0), context.now)
        return (row(FACTORS, after),), refusal

    def _spent(self, state: State, message: CreateWithdrawal, context: Context) -> tuple[Spent, Spent | None]:
        """Return what the user withdrew today and, if it matters, what all did."""
        own, everybody = (context.tenant, message.user_id, message.currency), _all(message, context)
        counted = spent_today(state.get(SPENDING, own), *own, context.now)
        if self.limits.daily is None:
            return counted, None
        return counted, spent_today(state.get(SPENDING, everybody), *everybody, context.now)

    def _refusal(
        self, state: State, message: CreateWithdrawal, context: Context, spent: tuple[Spent, Spent | None]
    ) -> Refusal | None:
        user = context.tenant, message.user_id
        wallet, under_way = state.get(WALLETS, user), state.get(IN_FLIGHT, user)
        own_wallet = "" if wallet is None else wallet.public_key
        destination = destination_of(message)
        return (
            check_user(message.user_id, self.inactive.get(user))
            or check_terms(message, own_accounts=self.own_accounts, own_wallet=own_wallet)
            or check_limits(self.limits, message.amount, *spent)
            or (None if under_way is None else in_progress(under_way.withdrawal_id))
            or (None if destination is None else check_sight(message, self.seen.get(destination)))
        )


def _all(message: CreateWithdrawal, context: Context) -> tuple[str, str, Currency]:
    return context.tenant, EVERYBODY, message.currency


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
        asked_by=message.asked_by,
        needs_approval=False,
        approved_by=None,
        hold_until=None,
        flags=(),
        created_at=context.now,
        updated_at=context.now,
    )

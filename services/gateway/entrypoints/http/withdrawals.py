"""Withdrawals: paying users' money out."""

from typing import Annotated, Final, Literal

from fastapi import Body, Query

from libs.common.contracts.commands.payouts import ApproveWithdrawal, CancelWithdrawal, CreateWithdrawal, RefreshWithdrawal
from libs.common.contracts.queries.payouts import GetWithdrawal, ListWithdrawals
from libs.common.contracts.replies.payouts import MemoType, Withdrawal, WithdrawalStatus
from libs.common.kernel.ids import looks_like_id, sibling_id
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.limits import Rule
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import CANCELED_WITHDRAWAL, NEW_WITHDRAWAL
from services.gateway.entrypoints.http.fields import (
    UPPER,
    Amount,
    Currency,
    FactorCode,
    Fields,
    Id,
    Instant,
    Metadata,
    Name,
    PageQuery,
    Text,
    example,
)
from services.gateway.entrypoints.http.routing import Operation

PER_USER: Final = Rule("withdrawals", 5, message="Too many withdrawal requests", field="user_id")


class DestinationFields(Fields):
    """Where the money goes."""

    type: Literal["stellar"]
    """A Stellar address."""
    address: Name
    """`G…`, or `M…`, which has a number in it."""
    memo_type: MemoType | None = None
    """What kind of memo it is; exchanges ask for one."""
    memo: Name | None = None
    """Text of up to 28 bytes, an id below 2^64, or a hash in hex."""


class NewWithdrawal(Fields):
    """Money that is to leave."""

    model_config = example(
        user_id="usr_01ABC",
        amount="50.00",
        currency="USD",
        destination={"type": "stellar", "address": "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"},
    )

    user_id: Name
    """The user whose balance is debited."""
    amount: Amount
    """At least 1.00."""
    destination: DestinationFields
    currency: Currency = "USD"
    """USD and USDC leave as USDC, XLM as lumens."""
    second_factor_code: FactorCode | None = None
    """Six digits of the user's second factor; asked for above a threshold that the operator sets. It is not recorded."""
    description: Text | None = None
    metadata: Metadata | None = None


class WithdrawalQuery(PageQuery):
    """Filters of the list of withdrawals."""

    user_id: Id | None = None
    """Only this user's."""
    status: Annotated[WithdrawalStatus, UPPER] | None = None
    """Only those that stand here."""
    created_after: Instant | None = None
    """Only those made at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only those made before this instant."""


class Recall(Fields):
    """Why it is called off."""

    model_config = example(reason="The address was wrong")

    reason: Text | None = None
    """Your own note."""


async def create_withdrawal(call: Calling, body: Annotated[NewWithdrawal, Body()]) -> Answer:
    """Create a withdrawal.

    The amount leaves the user's available balance at once, and the withdrawal is PENDING until it is put into a
    transaction. A user has one at a time. Needs an `Idempotency-Key`. Above a threshold that the operator sets it waits for
    an approval: `hold` says so.
    """
    if not looks_like_id(body.user_id):
        raise ApiError("USER_NOT_FOUND", field="user_id")
    to = body.destination
    return await call.submit(
        "payouts",
        lambda command_id: CreateWithdrawal(
            withdrawal_id=sibling_id("wth", command_id),
            user_id=body.user_id,
            amount=body.amount,
            currency=as_currency(booked_currency(body.currency) or ""),
            quoted_currency=body.currency,
            destination_type=to.type,
            address=to.address,
            memo_type=to.memo_type,
            memo=to.memo,
            description=body.description,
            metadata=body.metadata,
            asked_by=call.principal.key_id,
            second_factor_code=body.second_factor_code,
        ),
    )


async def list_withdrawals(call: Calling, query: Annotated[WithdrawalQuery, Query()]) -> Answer:
    """List withdrawals.

    Newest first. Filters combine: a withdrawal must satisfy all of them.
    """
    return await call.ask_page("payouts", ListWithdrawals(**query.model_dump()))


async def get_withdrawal(call: Calling, withdrawal_id: str) -> Answer:
    """Get a withdrawal.

    Where it stands and, once it has arrived, the transaction that paid it.
    """
    return await call.ask("payouts", GetWithdrawal(withdrawal_id))


async def approve_withdrawal(call: Calling, withdrawal_id: str) -> Answer:
    """Approve a withdrawal.

    One whose `hold` is APPROVAL leaves when another key than the one that asked for it has agreed. To refuse it, cancel it.
    """
    return await call.submit("payouts", lambda _: ApproveWithdrawal(withdrawal_id, call.principal.key_id))


async def cancel_withdrawal(call: Calling, withdrawal_id: str, body: Annotated[Recall, Body()]) -> Answer:
    """Cancel a withdrawal.

    While it is PENDING the money goes back at once. One that is PROCESSING is stopped if the network has not taken it
    yet: the answer then says `cancel_requested`, and which of the two came first is told by `withdrawal.canceled` or
    `withdrawal.completed`.
    """
    return await call.submit("payouts", lambda _: CancelWithdrawal(withdrawal_id, body.reason))


async def refresh_withdrawal(call: Calling, withdrawal_id: str) -> Answer:
    """Refresh a withdrawal.

    Whatever it waits for is asked again now instead of a little later. The answer is the withdrawal as it stands.
    """
    return await call.submit("payouts", lambda _: RefreshWithdrawal(withdrawal_id))


_OWN_CODES: Final = (
    "USER_NOT_FOUND",
    "USER_INACTIVE",
    "INVALID_DESTINATION",
    "AMOUNT_BELOW_MINIMUM",
    "AMOUNT_ABOVE_MAXIMUM",
    "SECOND_FACTOR_REQUIRED",
    "SECOND_FACTOR_INVALID",
    "WITHDRAWAL_IN_PROGRESS",
    "DESTINATION_NO_TRUSTLINE",
    "INSUFFICIENT_FUNDS",
)
OPERATIONS = (
    Operation(
        "POST", "/withdrawals", create_withdrawal, Scope.WRITE, Withdrawal, status=201, limit=PER_USER, codes=_OWN_CODES,
        shown=NEW_WITHDRAWAL, needs_key=True,
    ),
    Operation("GET", "/withdrawals", list_withdrawals, Scope.READ, Withdrawal, is_list=True),
    Operation("GET", "/withdrawals/{withdrawal_id}", get_withdrawal, Scope.READ, Withdrawal),
    Operation(
        "POST", "/withdrawals/{withdrawal_id}/approve", approve_withdrawal, Scope.SUPPORT, Withdrawal, shown=NEW_WITHDRAWAL,
        codes=("INVALID_STATE", "FORBIDDEN_ACTOR"),
    ),
    Operation(
        "POST", "/withdrawals/{withdrawal_id}/cancel", cancel_withdrawal, Scope.WRITE, Withdrawal, shown=CANCELED_WITHDRAWAL,
        codes=("INVALID_STATE",),
    ),
    Operation("POST", "/withdrawals/{withdrawal_id}/refresh", refresh_withdrawal, Scope.WRITE, Withdrawal),
)  # fmt: skip

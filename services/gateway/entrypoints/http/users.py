"""Users and what they own: making, changing and finding them, balances and their history."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.ledger import OpenUser, UpdateUser, WantedStatus
from libs.common.contracts.queries.ledger import GetBalance, GetUser, ListEntries, ListUsers
from libs.common.contracts.replies.ledger import Balance, BalanceAdjusted, Entry, User, UserStatus
from libs.common.kernel.ids import sibling_id
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.errors import invalid
from services.gateway.domain.idempotency import DAY
from services.gateway.domain.records import About
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples import CHANGED_USER, DEBITED
from services.gateway.entrypoints.http.fields import (
    LEFT_OUT,
    Amount,
    Currency,
    Email,
    EntryCursor,
    Fields,
    Instant,
    Limit,
    Metadata,
    Name,
    Note,
    PageQuery,
    UserType,
    example,
)
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.adjust_balance import JOURNAL, Adjustment, adjust_balance, adjusted


class NewUser(Fields):
    """A participant of the marketplace."""

    model_config = example(external_user_id="customer-7", email="ana@example.com", type="BUYER", metadata={"country": "PT"})

    external_user_id: Name
    """Your own id for the user. One that is known gives back its user."""
    email: Email | None = None
    type: UserType = "BOTH"
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class UserChange(Fields):
    """What is to change of a user; what is left out stays as it is."""

    model_config = example(
        {"dependentRequired": {"reason": ["status"]}}, email="ana@example.org", metadata={"country": "ES", "trial": None}
    )

    status: Annotated[WantedStatus, LEFT_OUT]
    """Needs the scope support."""
    email: Annotated[Email | None, LEFT_OUT]
    """Null removes it."""
    type: Annotated[UserType, LEFT_OUT]
    metadata: Annotated[dict[str, Any], LEFT_OUT]
    """Laid over what is there, key by key at the top level; null removes a key."""
    reason: Annotated[Note, LEFT_OUT]
    """Goes with a status, into the event that tells of it."""


class UserQuery(PageQuery):
    """Filters of the list of users."""

    type: UserType | None = None
    """Only these."""
    status: UserStatus | None = None
    """Only those whose status this is."""
    external_user_id: Name | None = None
    """Only the one that you know by this id."""
    email: Email | None = None
    """Only those with this address."""
    created_after: Instant | None = None
    """Only those made at this instant or later; a date means its first moment, UTC."""
    created_before: Instant | None = None
    """Only those made before this instant."""


class BalanceChange(Fields):
    """An adjustment by hand."""

    model_config = example(amount="250.00", currency="USD", reference="ticket 7", description="Compensation")

    amount: Amount
    currency: Currency
    """USDC is booked as USD."""
    reference: Note = ""
    """The agent's own note of why."""
    description: Note = ""


class EntryQuery(Fields):
    """Filters of a user's history."""

    limit: Limit = 20
    """How many items a page has."""
    cursor: EntryCursor | None = None
    """Where to go on: `next_cursor` of the page before."""
    currency: Currency | None = None
    """Only entries in this currency; USDC is USD."""


class _Opened(msgspec.Struct):
    user: msgspec.Raw
    created: bool


_opened = msgspec.json.Decoder(_Opened)


async def create_user(call: Calling, body: Annotated[NewUser, Body()]) -> Answer:
    """Create a user.

    Users are the buyers and sellers of your marketplace; `external_user_id` is your own id for one. If it is known
    already, the answer is 200 with the user it names, and nothing is changed. A deposit wallet follows shortly.
    """
    return await call.submit(
        "ledger",
        lambda command_id: OpenUser(
            user_id=sibling_id("usr", command_id),
            external_user_id=body.external_user_id,
            user_type=body.type,
            email=body.email,
            metadata=body.metadata,
        ),
        shape=_user,
    )


async def list_users(call: Calling, query: Annotated[UserQuery, Query()]) -> Answer:
    """List users.

    Newest first. Filters combine: a user must satisfy all of them.
    """
    return await call.ask_page(
        "ledger",
        ListUsers(
            limit=query.limit,
            cursor=query.cursor,
            user_type=query.type,
            status=query.status,
            external_user_id=query.external_user_id,
            email=query.email,
            created_after=query.created_after,
            created_before=query.created_before,
        ),
    )


async def get_user(call: Calling, user_id: str) -> Answer:
    """Get a user.

    By our id; to find one by yours, list users with `external_user_id`.
    """
    return await call.ask("ledger", GetUser(user_id))


async def update_user(call: Calling, user_id: str, body: Annotated[UserChange, Body()]) -> Answer:
    """Change a user.

    Only what is given is changed. Changing `status` takes the scope `support`: a user who is SUSPENDED can't begin
    anything new, while money that is under way still comes out. A change that changes nothing is no error, and no
    event.
    """
    given = body.given
    if "status" in given:
        call.require(Scope.SUPPORT)
    elif "reason" in given:
        raise invalid("reason", "a reason goes with a status")
    if "type" in given:
        given["user_type"] = given.pop("type")
    return await call.submit("ledger", lambda _: UpdateUser(user_id, **given))


async def get_balance(call: Calling, user_id: str) -> Answer:
    """Get a user's balance.

    One line per currency. `available` can be spent. `held` = `reserved` (kept for orders that are not funded yet) +
    `in_escrow`.
    """
    return await call.ask("ledger", GetBalance(user_id))


async def list_entries(call: Calling, user_id: str, query: Annotated[EntryQuery, Query()]) -> Answer:
    """List a user's entries.

    What happened on the user's accounts in the ledger, newest first: each line has the amount that moved and the
    balance after it. The lines add up to the balance, to the last decimal.
    """
    currency = None if query.currency is None else booked_currency(query.currency)
    return await call.ask_page("ledger", ListEntries(user_id, query.limit, query.cursor, currency))


async def credit_balance(call: Calling, user_id: str, body: Annotated[BalanceChange, Body()]) -> Answer:
    """Add money to a user's balance.

    A support agent's adjustment, booked against the platform's own account. Answers with what the user has then.
    """
    return await _adjust(call, Adjustment(user_id, "credit", *_change(body)))


async def debit_balance(call: Calling, user_id: str, body: Annotated[BalanceChange, Body()]) -> Answer:
    """Take money out of a user's balance.

    A support agent's adjustment, booked against the platform's own account. Only available money can be taken. Answers
    with what the user has then.
    """
    return await _adjust(call, Adjustment(user_id, "debit", *_change(body)))


async def _adjust(call: Calling, adjustment: Adjustment) -> Answer:
    run = partial(_run_adjustment, call, adjustment)
    return await call.once(run, window=DAY, service="ledger", message=JOURNAL)


async def _run_adjustment(call: Calling, adjustment: Adjustment, command_id: str) -> Answer:
    return await adjust_balance(call.use_cases.services, adjustment, tenant=call.tenant, command_id=command_id)


def _change(body: BalanceChange) -> tuple[int, Literal["USD", "XLM"], str, str]:
    return body.amount, as_currency(booked_currency(body.currency) or ""), body.reference, body.description


def _user(raw: msgspec.Raw) -> Answer:
    opened = _opened.decode(raw)
    return resource(opened.user, status=201 if opened.created else 200)


def _created(_: About, result: msgspec.Raw) -> Answer:
    return _user(result)


def _adjusted(about: About, result: msgspec.Raw) -> Answer:
    body = BalanceChange.model_validate(msgspec.json.decode(about.document))
    direction: Literal["credit", "debit"] = "credit" if about.operation == credit_balance.__name__ else "debit"
    return adjusted(Adjustment(about.resource_id or "", direction, *_change(body)), result)


SHAPES: Final[dict[str, Callable[[About, msgspec.Raw], Answer]]] = {
    create_user.__name__: _created,
    credit_balance.__name__: _adjusted,
    debit_balance.__name__: _adjusted,
}
"""The answers that are not the service's as it is, for whoever finishes a request in another's place."""

OPERATIONS = (
    Operation("GET", "/users/{user_id}/balance", get_balance, Scope.READ, Balance),
    Operation("POST", "/users", create_user, Scope.WRITE, User, status=201, also=(200,)),
    Operation("GET", "/users", list_users, Scope.READ, User, is_list=True),
    Operation("GET", "/users/{user_id}", get_user, Scope.READ, User),
    Operation("PATCH", "/users/{user_id}", update_user, Scope.WRITE, User, shown=CHANGED_USER),
    Operation("POST", "/users/{user_id}/balance/credit", credit_balance, Scope.SUPPORT, BalanceAdjusted),
    Operation(
        "POST", "/users/{user_id}/balance/debit", debit_balance, Scope.SUPPORT, BalanceAdjusted, shown=DEBITED,
        codes=("INSUFFICIENT_FUNDS",),
    ),
    Operation("GET", "/users/{user_id}/ledger", list_entries, Scope.READ, Entry, is_list=True),
)  # fmt: skip

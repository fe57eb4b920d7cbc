"""Users and what they own: POST and GET /users, balances and their history."""

from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.ledger import OpenUser
from libs.common.contracts.queries.ledger import GetBalance, GetUser, ListEntries, ListUsers
from libs.common.contracts.replies.ledger import Balance, BalanceAdjusted, Entry, User
from libs.common.kernel.ids import sibling_id
from libs.common.kernel.money import as_currency, booked_currency
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import (
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
)
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.adjust_balance import Adjustment, adjust_balance


class NewUser(Fields):
    """A participant of the marketplace, known by its own id for it."""

    external_user_id: Name
    email: Email | None = None
    type: UserType = "BOTH"
    metadata: Annotated[Metadata, Field(default_factory=dict)]


class UserQuery(PageQuery):
    """Filters of the list of users."""

    type: UserType | None = None
    status: Literal["ACTIVE", "SUSPENDED", "PENDING_VERIFICATION"] | None = None
    external_user_id: Name | None = None
    email: Email | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None


class BalanceChange(Fields):
    """An adjustment by hand; `reference` is the agent's own note of why."""

    amount: Amount
    currency: Currency
    reference: Note = ""
    description: Note = ""


class EntryQuery(Fields):
    """Filters of a user's history."""

    limit: Limit = 20
    cursor: EntryCursor | None = None
    currency: Currency | None = None


class _Opened(msgspec.Struct):
    user: msgspec.Raw
    created: bool


_opened = msgspec.json.Decoder(_Opened)


async def create_user(call: Calling, body: Annotated[NewUser, Body()]) -> Answer:
    """Create a user. A known `external_user_id` answers 200 with the user it names."""
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
    """List users, newest first."""
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
    """Get a user."""
    return await call.ask("ledger", GetUser(user_id))


async def get_balance(call: Calling, user_id: str) -> Answer:
    """Get a user's balance in every currency; held = reserved + in escrow."""
    return await call.ask("ledger", GetBalance(user_id))


async def list_entries(call: Calling, user_id: str, query: Annotated[EntryQuery, Query()]) -> Answer:
    """List what happened on a user's accounts, newest first."""
    currency = None if query.currency is None else booked_currency(query.currency)
    return await call.ask_page("ledger", ListEntries(user_id, query.limit, query.cursor, currency))


async def credit_balance(call: Calling, user_id: str, body: Annotated[BalanceChange, Body()]) -> Answer:
    """Add money to a user's available balance, against the platform's adjustments."""
    return await _adjust(call, Adjustment(user_id, "credit", *_change(body)))


async def debit_balance(call: Calling, user_id: str, body: Annotated[BalanceChange, Body()]) -> Answer:
    """Take money out of a user's available balance, against the platform's adjustments."""
    return await _adjust(call, Adjustment(user_id, "debit", *_change(body)))


async def _adjust(call: Calling, adjustment: Adjustment) -> Answer:
    run = partial(_run_adjustment, call, adjustment)
    return await call.once(run, window=DAY)


async def _run_adjustment(call: Calling, adjustment: Adjustment, command_id: str) -> Answer:
    return await adjust_balance(call.use_cases.services, adjustment, tenant=call.tenant, command_id=command_id)


def _change(body: BalanceChange) -> tuple[int, Literal["USD", "XLM"], str, str]:
    return body.amount, as_currency(booked_currency(body.currency) or ""), body.reference, body.description


def _user(raw: msgspec.Raw) -> Answer:
    opened = _opened.decode(raw)
    return resource(opened.user, status=201 if opened.created else 200)


OPERATIONS = (
    Operation("GET", "/users/{user_id}/balance", get_balance, Scope.READ, Balance),
    Operation("POST", "/users", create_user, Scope.WRITE, User, status=201),
    Operation("GET", "/users", list_users, Scope.READ, User, is_list=True),
    Operation("GET", "/users/{user_id}", get_user, Scope.READ, User),
    Operation("POST", "/users/{user_id}/balance/credit", credit_balance, Scope.SUPPORT, BalanceAdjusted),
    Operation("POST", "/users/{user_id}/balance/debit", debit_balance, Scope.SUPPORT, BalanceAdjusted),
    Operation("GET", "/users/{user_id}/ledger", list_entries, Scope.READ, Entry, is_list=True),
)

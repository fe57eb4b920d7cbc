"""What the ledger answers when it is asked: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.ledger import GetBalance, GetExternalBalance, GetUser, GetUsers, ListUsers
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.ledger import Balance, CurrencyBalance, ExternalBalance, ExternalLine, UserState, UserStates
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import format_amount
from libs.common.messaging.lists import page_of, read_bounds, unknown_cursor
from libs.common.messaging.queries import Answers, Asked
from services.ledger.domain.users import STATUSES, TYPES
from services.ledger.handlers.views import no_user, user_view
from services.ledger.store import reads


async def get_user(pool: asyncpg.Pool, asked: Sequence[Asked[GetUser]]) -> Answers:
    """Answer with users."""
    users = await reads.users(pool, [(item.tenant, item.query.user_id) for item in asked])
    found = [users.get((item.tenant, item.query.user_id)) for item in asked]
    return [user_view(user) if user is not None else no_user(item.query.user_id) for user, item in zip(found, asked, strict=True)]


async def get_users(pool: asyncpg.Pool, asked: Sequence[Asked[GetUsers]]) -> Answers:
    """Answer services that keep parties."""
    users = await reads.users(pool, [(item.tenant, user_id) for item in asked for user_id in item.query.user_ids])
    answers: list[UserStates] = []
    for item in asked:
        known = (users.get((item.tenant, user_id)) for user_id in item.query.user_ids)
        answers.append(UserStates(tuple(UserState(user.id, user.status, user.sequence) for user in known if user is not None)))
    return answers


async def get_balance(pool: asyncpg.Pool, asked: Sequence[Asked[GetBalance]]) -> Answers:
    """Answer with balances in every currency; a user without accounts does not exist."""
    balances = await reads.balances(pool, [(item.tenant, item.query.user_id) for item in asked])
    answers: list[Balance | Refusal] = []
    for item in asked:
        lines = balances.get((item.tenant, item.query.user_id))
        if lines is None:
            answers.append(no_user(item.query.user_id))
            continue
        answers.append(Balance(item.query.user_id, tuple(_balance(*line) for line in sorted(lines))))
    return answers


async def get_external_balance(pool: asyncpg.Pool, asked: Sequence[Asked[GetExternalBalance]]) -> Answers:
    """Answer with what accounts outside are said to hold; one that nothing ever touched has no lines."""
    balances = await reads.account_balances(pool, [(item.tenant, item.query.account) for item in asked])
    found = [balances.get((item.tenant, item.query.account), ()) for item in asked]
    return [ExternalBalance(tuple(ExternalLine(*line) for line in sorted(lines))) for lines in found]


async def list_users(pool: asyncpg.Pool, asked: Sequence[Asked[ListUsers]]) -> Answers:
    """Answer with pages of users."""
    return [await _user_page(pool, item) for item in asked]


async def _user_page(pool: asyncpg.Pool, item: Asked[ListUsers]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query, status=STATUSES, user_type=TYPES)
    if isinstance(bounds, Refusal):
        return bounds
    users = await reads.user_page(pool, item.tenant, item.query, bounds)
    if users is None:
        return unknown_cursor()
    return page_of(((user.id, user_view(user)) for user in users), limit=bounds.limit)


def _balance(currency: str, available: int, reserved: int, in_escrow: int) -> CurrencyBalance:
    return CurrencyBalance(
        currency=currency,
        available=format_amount(available),
        held=format_amount(reserved + in_escrow),
        reserved=format_amount(reserved),
        in_escrow=format_amount(in_escrow),
    )

"""What the ledger answers when it is asked: one reader per kind of question."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from libs.common.contracts.queries.ledger import GetBalance, GetUser, GetUsers, ListEntries, ListUsers
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.ledger import Balance, CurrencyBalance, Entry, User, UserState, UserStates
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import format_amount
from libs.common.messaging.queries import Answers, Asked
from services.ledger.handlers.views import user_view
from services.ledger.store import reads


def _no_user(user_id: str) -> Refusal:
    return Refusal("USER_NOT_FOUND", "No such user", {"user_id": user_id})


async def get_user(pool: asyncpg.Pool, asked: Sequence[Asked[GetUser]]) -> Answers:
    """Answer with users."""
    users = await reads.users(pool, [(item.tenant, item.query.user_id) for item in asked])
    found = [users.get((item.tenant, item.query.user_id)) for item in asked]
    return [
        user_view(user) if user is not None else _no_user(item.query.user_id) for user, item in zip(found, asked, strict=True)
    ]


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
            answers.append(_no_user(item.query.user_id))
            continue
        answers.append(Balance(item.query.user_id, tuple(_balance(*line) for line in sorted(lines))))
    return answers


async def list_users(pool: asyncpg.Pool, asked: Sequence[Asked[ListUsers]]) -> Answers:
    """Answer with pages of users."""
    return [await _user_page(pool, item) for item in asked]


async def list_entries(pool: asyncpg.Pool, asked: Sequence[Asked[ListEntries]]) -> Answers:
    """Answer with pages of a user's history."""
    return [await _entry_page(pool, item) for item in asked]


async def _user_page(pool: asyncpg.Pool, item: Asked[ListUsers]) -> Page[User]:
    query = item.query
    rows = await reads.user_page(
        pool,
        item.tenant,
        limit=query.limit + 1,
        cursor=query.cursor,
        user_type=query.user_type,
        status=query.status,
        external_user_id=query.external_user_id,
        email=query.email,
        created_after=_instant(query.created_after),
        created_before=_instant(query.created_before),
    )
    shown = rows[: query.limit]
    more = len(rows) > query.limit
    return Page(tuple(user_view(row) for row in shown), has_more=more, next_cursor=shown[-1].id if more else None)


async def _entry_page(pool: asyncpg.Pool, item: Asked[ListEntries]) -> Page[Entry] | Refusal:
    query = item.query
    if not await reads.balances(pool, [(item.tenant, query.user_id)]):
        return _no_user(query.user_id)
    try:
        before = _entry_cursor(query.cursor)
    except ValueError:
        return Refusal("VALIDATION_ERROR", "cursor is not one of ours", {"fields": [{"field": "cursor", "message": "unknown"}]})
    rows = await reads.entry_page(pool, item.tenant, query.user_id, limit=query.limit + 1, currency=query.currency, before=before)
    shown = [
        Entry(
            id=f"ent_{int(row['posted_at'].timestamp() * 1_000_000)}_{row['version']}_{row['account_id']}",
            account=row["purpose"],
            currency=row["currency"],
            kind=row["kind"],
            amount=format_amount(row["amount"]),
            balance_after=format_amount(row["balance_after"]),
            subject=row["subject"],
            description=row["description"],
            created_at=wire_time(row["posted_at"]),
        )
        for row in rows[: query.limit]
    ]
    more = len(rows) > query.limit
    return Page(tuple(shown), has_more=more, next_cursor=shown[-1].id if more else None)


def _entry_cursor(cursor: str | None) -> tuple[datetime, str, int] | None:
    if cursor is None:
        return None
    _, microseconds, version, account_id = cursor.split("_", 3)
    return datetime.fromtimestamp(int(microseconds) / 1_000_000).astimezone(), account_id, int(version)


def _balance(currency: str, available: int, reserved: int, in_escrow: int) -> CurrencyBalance:
    return CurrencyBalance(
        currency=currency,
        available=format_amount(available),
        held=format_amount(reserved + in_escrow),
        reserved=format_amount(reserved),
        in_escrow=format_amount(in_escrow),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

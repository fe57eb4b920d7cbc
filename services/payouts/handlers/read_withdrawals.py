"""What payouts answers when it is asked about withdrawals."""

from collections.abc import Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.payouts import GetWithdrawal, ListWithdrawals
from libs.common.contracts.replies.common import Page
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import page_of, read_bounds, unknown_cursor
from libs.common.messaging.queries import Answers, Asked
from services.payouts.domain.withdrawal_rules import withdrawal_not_found
from services.payouts.domain.withdrawals import Status
from services.payouts.handlers.withdrawal_views import withdrawal_view
from services.payouts.store import withdrawals


async def get_withdrawal(pool: asyncpg.Pool, asked: Sequence[Asked[GetWithdrawal]]) -> Answers:
    """Answer with withdrawals."""
    known = await withdrawals.by_id(pool, [(item.tenant, item.query.withdrawal_id) for item in asked])
    found = [(item.query.withdrawal_id, known.get((item.tenant, item.query.withdrawal_id))) for item in asked]
    return [withdrawal_not_found(asked_id) if shown is None else withdrawal_view(shown) for asked_id, shown in found]


async def list_withdrawals(pool: asyncpg.Pool, asked: Sequence[Asked[ListWithdrawals]]) -> Answers:
    """Answer with pages of withdrawals."""
    return [await _page(pool, item) for item in asked]


async def _page(pool: asyncpg.Pool, item: Asked[ListWithdrawals]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query, status=Status)
    if isinstance(bounds, Refusal):
        return bounds
    found = await withdrawals.page(pool, item.tenant, item.query, bounds)
    if found is None:
        return unknown_cursor()
    return page_of(((each.id, withdrawal_view(each)) for each in found), limit=bounds.limit)

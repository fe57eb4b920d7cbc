"""What escrow answers when it is asked about disputes: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.escrow import GetDispute, ListComments, ListDisputes
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.escrow import Comments
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import page_of, read_bounds, unknown_cursor
from libs.common.messaging.queries import Answers, Asked
from services.escrow.domain.disputes import SIDES
from services.escrow.domain.orders import Order, order_of_dispute
from services.escrow.domain.rules import dispute_not_found
from services.escrow.domain.states import DisputeStatus
from services.escrow.handlers.views import comment_view, dispute_view
from services.escrow.store import reads


async def get_dispute(pool: asyncpg.Pool, asked: Sequence[Asked[GetDispute]]) -> Answers:
    """Answer with disputes."""
    return [
        found if isinstance(found, Refusal) else dispute_view(found)
        for found in await _find(pool, [(item.tenant, item.query.dispute_id) for item in asked])
    ]


async def list_comments(pool: asyncpg.Pool, asked: Sequence[Asked[ListComments]]) -> Answers:
    """Answer with what was said on disputes."""
    return [
        found if isinstance(found, Refusal) else Comments(tuple(comment_view(found, comment) for comment in found.comments))
        for found in await _find(pool, [(item.tenant, item.query.dispute_id) for item in asked])
    ]


async def list_disputes(pool: asyncpg.Pool, asked: Sequence[Asked[ListDisputes]]) -> Answers:
    """Answer with pages of disputes."""
    return [await _page(pool, item) for item in asked]


async def _find(pool: asyncpg.Pool, wanted: Sequence[tuple[str, str]]) -> list[Order | Refusal]:
    found = await reads.orders(pool, [(tenant, order_of_dispute(dispute_id)) for tenant, dispute_id in wanted])
    answers: list[Order | Refusal] = []
    for tenant, dispute_id in wanted:
        order = found.get((tenant, order_of_dispute(dispute_id)))
        known = order is not None and order.dispute is not None and order.dispute_id == dispute_id
        answers.append(order if known and order is not None else dispute_not_found(dispute_id))
    return answers


async def _page(pool: asyncpg.Pool, item: Asked[ListDisputes]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query, status=DisputeStatus, opened_by=SIDES)
    if isinstance(bounds, Refusal):
        return bounds
    if bounds.cursor is not None:
        bounds = bounds._replace(cursor=order_of_dispute(bounds.cursor))
    orders = await reads.dispute_page(pool, item.tenant, item.query, bounds)
    if orders is None:
        return unknown_cursor()
    return page_of(((order.dispute_id, dispute_view(order)) for order in orders), limit=bounds.limit)

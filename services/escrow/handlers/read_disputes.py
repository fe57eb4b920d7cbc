"""What escrow answers when it is asked about disputes: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg

from libs.common.contracts.queries.escrow import GetDispute, ListComments, ListDisputes
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.escrow import Comments, Dispute
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.escrow.domain.orders import Order, order_of_dispute
from services.escrow.domain.rules import dispute_not_found
from services.escrow.domain.states import DisputeStatus
from services.escrow.handlers.asked import check_listing, instant, page_of
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


async def _page(pool: asyncpg.Pool, item: Asked[ListDisputes]) -> Page[Dispute] | Refusal:
    query = item.query
    refusal = check_listing(query, DisputeStatus)
    if refusal is not None:
        return refusal
    cursor = None if query.cursor is None else order_of_dispute(query.cursor)
    page = reads.Page(item.tenant)
    page.add("(dispute_opened_at, id) < (SELECT dispute_opened_at, id FROM orders WHERE tenant = $1 AND id = {})", cursor)
    page.add("dispute_status = {}", query.status)
    page.add("id = {}", query.order_id)
    page.add("dispute_opened_by = {}", query.opened_by)
    page.add("{} IN (buyer_id, seller_id)", query.user_id)
    page.add("dispute_opened_at >= {}", instant(query.created_after))
    page.add("dispute_opened_at < {}", instant(query.created_before))
    orders = await reads.dispute_page(pool, page, limit=query.limit + 1)
    return page_of(map(dispute_view, orders), limit=query.limit, ids=(order.dispute_id for order in orders))

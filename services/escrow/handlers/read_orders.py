"""What escrow answers when it is asked about orders: one reader per kind of question."""

from collections.abc import Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.escrow import GetEscrow, GetOrder, ListMilestones, ListOrders
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.escrow import Escrow, Milestones
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import page_of, read_bounds, unknown_cursor
from libs.common.messaging.queries import Answers, Asked
from services.escrow.domain.rules import escrow_not_found, order_not_found
from services.escrow.domain.states import OrderStatus
from services.escrow.handlers.views import escrow_view, milestone_views, order_view
from services.escrow.store import reads


async def get_order(pool: asyncpg.Pool, asked: Sequence[Asked[GetOrder]]) -> Answers:
    """Answer with orders."""
    found = await reads.orders(pool, [(item.tenant, item.query.order_id) for item in asked])
    orders = [found.get((item.tenant, item.query.order_id)) for item in asked]
    return [
        order_not_found(item.query.order_id) if order is None else order_view(order)
        for item, order in zip(asked, orders, strict=True)
    ]


async def get_escrow(pool: asyncpg.Pool, asked: Sequence[Asked[GetEscrow]]) -> Answers:
    """Answer with the escrows of orders."""
    found = await reads.orders(pool, [(item.tenant, item.query.order_id) for item in asked])
    answers: list[Escrow | Refusal] = []
    for item in asked:
        order = found.get((item.tenant, item.query.order_id))
        if order is None:
            answers.append(order_not_found(item.query.order_id))
        else:
            answers.append(escrow_not_found(order.id) if order.escrow is None else escrow_view(order))
    return answers


async def list_milestones(pool: asyncpg.Pool, asked: Sequence[Asked[ListMilestones]]) -> Answers:
    """Answer with the milestones of orders."""
    found = await reads.orders(pool, [(item.tenant, item.query.order_id) for item in asked])
    orders = [found.get((item.tenant, item.query.order_id)) for item in asked]
    return [
        order_not_found(item.query.order_id) if order is None else Milestones(milestone_views(order))
        for item, order in zip(asked, orders, strict=True)
    ]


async def list_orders(pool: asyncpg.Pool, asked: Sequence[Asked[ListOrders]]) -> Answers:
    """Answer with pages of orders."""
    return [await _page(pool, item) for item in asked]


async def _page(pool: asyncpg.Pool, item: Asked[ListOrders]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query, status=OrderStatus)
    if isinstance(bounds, Refusal):
        return bounds
    orders = await reads.order_page(pool, item.tenant, item.query, bounds)
    if orders is None:
        return unknown_cursor()
    return page_of(((order.id, order_view(order)) for order in orders), limit=bounds.limit)

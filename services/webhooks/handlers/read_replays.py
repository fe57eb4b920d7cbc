"""How far replays have come."""

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.webhooks import GetReplay, ListReplays
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import ReplayProgress
from libs.common.kernel.errors import Refusal
from libs.common.messaging.lists import page_of, read_bounds
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.domain.replays import UNFINISHED, remaining
from services.webhooks.handlers.views import no_endpoint, no_replay, replay_view
from services.webhooks.store import reads, replays
from services.webhooks.store.delivery_rows import ReplayRow


async def list_replays(pool: asyncpg.Pool, asked: Sequence[Asked[ListReplays]]) -> Answers:
    """Answer with pages of an endpoint's replays."""
    known = await reads.endpoints(pool, [(item.tenant, item.query.endpoint_id) for item in asked])
    return [
        await _page(pool, item) if (item.tenant, item.query.endpoint_id) in known else no_endpoint(item.query.endpoint_id)
        for item in asked
    ]


async def get_replay(pool: asyncpg.Pool, asked: Sequence[Asked[GetReplay]]) -> Answers:
    """Answer with replays and what became of their deliveries."""
    keys = [(item.tenant, item.query.endpoint_id, item.query.replay_id) for item in asked]
    found = await replays.get(pool, keys)
    counts = await replays.counts(pool, [(key[0], key[2]) for key in found])
    known = await reads.endpoints(pool, [key[:2] for key in keys if key not in found])
    answers: list[ReplayProgress | Refusal] = []
    for key in keys:
        tenant, endpoint_id, replay_id = key
        if key in found:
            answers.append(_progress(found[key], counts.get((tenant, replay_id), {})))
        else:
            answers.append(no_replay(replay_id) if (tenant, endpoint_id) in known else no_endpoint(endpoint_id))
    return answers


async def _page(pool: asyncpg.Pool, item: Asked[ListReplays]) -> Page[msgspec.Raw] | Refusal:
    bounds = read_bounds(item.query)
    if isinstance(bounds, Refusal):
        return bounds
    rows = await replays.page(pool, item.tenant, item.query.endpoint_id, bounds)
    return page_of(((row.id, replay_view(row)) for row in rows), limit=bounds.limit)


def _progress(row: ReplayRow, counts: Mapping[str, int]) -> ReplayProgress:
    pending = counts.get(DeliveryState.PENDING, 0)
    estimate = remaining(
        from_position=row.from_position,
        to_position=row.to_position,
        cursor=row.cursor,
        enqueued=row.enqueued,
        pending=pending,
    )
    return ReplayProgress(
        **msgspec.structs.asdict(replay_view(row)),
        pending=pending,
        delivered=counts.get(DeliveryState.DELIVERED, 0),
        failed=counts.get(DeliveryState.EXHAUSTED, 0),
        remaining=estimate if row.state in UNFINISHED else pending,
    )

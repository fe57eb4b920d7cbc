"""What became of single deliveries: each with its attempts."""

from collections.abc import Sequence

import asyncpg
import msgspec

from libs.common.contracts.queries.webhooks import GetDelivery
from libs.common.contracts.replies.webhooks import Delivery, DeliveryAttempt, DeliveryWithAttempts
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.attempts import ANSWER_BYTES_KEPT, as_text, error_class
from services.webhooks.handlers.views import delivery_view, no_delivery, no_endpoint
from services.webhooks.store import delivery_reads, reads
from services.webhooks.store.delivery_reads import AttemptRow


async def get_delivery(pool: asyncpg.Pool, asked: Sequence[Asked[GetDelivery]]) -> Answers:
    """Answer with deliveries and their attempts."""
    keys = [(item.tenant, item.query.endpoint_id, item.query.delivery_id) for item in asked]
    found = await delivery_reads.deliveries(pool, keys)
    tried = await delivery_reads.attempts(pool, [(key[0], key[2]) for key in found])
    known = await reads.endpoints(pool, [key[:2] for key in keys if key not in found])
    answers: list[DeliveryWithAttempts | Refusal] = []
    for key in keys:
        tenant, endpoint_id, delivery_id = key
        if key in found:
            answers.append(_told(delivery_view(found[key]), tried.get((tenant, delivery_id), ())))
        else:
            answers.append(no_delivery(delivery_id) if (tenant, endpoint_id) in known else no_endpoint(endpoint_id))
    return answers


def attempt_view(row: AttemptRow) -> DeliveryAttempt:
    """Show an attempt."""
    return DeliveryAttempt(
        number=row.number,
        url=row.url,
        started_at=wire_time(row.started_at),
        duration_ms=row.duration_ms,
        connect_ms=row.connect_ms,
        status=row.status,
        error=row.error,
        error_class=error_class(row.error),
        response=as_text(row.response[:ANSWER_BYTES_KEPT]),
    )


def _told(delivery: Delivery, tried: Sequence[AttemptRow]) -> DeliveryWithAttempts:
    return DeliveryWithAttempts(**msgspec.structs.asdict(delivery), attempt_log=tuple(map(attempt_view, tried)))

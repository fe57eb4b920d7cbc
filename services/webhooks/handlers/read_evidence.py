"""What proves a delivery to somebody who has the endpoint's secret: the bytes, the headers and the signatures of each attempt."""

import base64
import hashlib
from collections.abc import Sequence

import asyncpg
from asyncpg import Record

from libs.common.contracts.queries.webhooks import GetEvidence
from libs.common.contracts.replies.webhooks import AttemptEvidence, DeliveryEvidence, EventEvidence, SecretEvidence
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.signing import plain_headers
from services.webhooks.handlers.read_deliveries import attempt_view
from services.webhooks.handlers.views import delivery_view, no_delivery, no_endpoint
from services.webhooks.store import delivery_reads, reads
from services.webhooks.store.delivery_reads import AttemptRow, Carried, SecretTimes


async def get_evidence(pool: asyncpg.Pool, asked: Sequence[Asked[GetEvidence]]) -> Answers:
    """Answer with the evidence of deliveries."""
    keys = [(item.tenant, item.query.endpoint_id, item.query.delivery_id) for item in asked]
    found = await delivery_reads.deliveries(pool, keys)
    known = await reads.endpoints(pool, [key[:2] for key in keys])
    carried = await delivery_reads.carried(pool, list(found))
    tried = await delivery_reads.attempts(pool, [(key[0], key[2]) for key in found])
    secrets = await delivery_reads.secrets(pool, [key[:2] for key in found])
    answers: list[DeliveryEvidence | Refusal] = []
    for key in keys:
        if key[:2] not in known:
            answers.append(no_endpoint(key[1]))
        elif key not in found or key not in carried:
            answers.append(no_delivery(key[2]))
        else:
            attempts = tried.get((key[0], key[2]), ())
            answers.append(_bundle(found[key], carried[key], attempts, secrets.get(key[:2], ())))
    return answers


def _bundle(delivery: Record, event: Carried, tried: Sequence[AttemptRow], secrets: Sequence[SecretTimes]) -> DeliveryEvidence:
    return DeliveryEvidence(
        id=delivery["id"],
        delivery=delivery_view(delivery),
        event=EventEvidence(
            id=delivery["event_id"],
            type=delivery["event_type"],
            position=event.position,
            aggregate=event.aggregate,
            sequence=event.sequence,
            logged_at=wire_time(event.logged_at),
        ),
        body_base64=base64.b64encode(event.body).decode(),
        body_sha256=hashlib.sha256(event.body).hexdigest(),
        attempts=tuple(_attempt(delivery, row) for row in tried),
        secrets=tuple(map(_secret, secrets)),
    )


def _attempt(delivery: Record, row: AttemptRow) -> AttemptEvidence:
    headers = plain_headers(
        event_id=delivery["event_id"],
        event_type=delivery["event_type"],
        delivery_id=delivery["id"],
        attempt=row.number,
        timestamp=int(row.started_at.timestamp()),
    )
    if row.signature:
        headers["webhook-signature"] = row.signature
    numbers = tuple(int(number) for number in (row.signed_with or "").split())
    return AttemptEvidence(attempt=attempt_view(row), headers=headers, signed_with=numbers)


def _secret(times: SecretTimes) -> SecretEvidence:
    return SecretEvidence(
        number=times.number,
        created_at=wire_time(times.created_at),
        signs_first_from=wire_time(times.primary_at),
        signs_until=None if times.retires_at is None else wire_time(times.retires_at),
    )

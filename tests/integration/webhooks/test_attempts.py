"""A delivery shows each of its attempts: where it went, how long it took, and what came back."""

import asyncpg
import msgspec
import pytest
from aiohttp import web

from libs.common.contracts.queries.webhooks import GetDelivery
from libs.common.contracts.replies.webhooks import DeliveryAttempt, DeliveryWithAttempts
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver
from tests.support.webhooks import delivery_id, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def shown(worker: Worker, tenant: Tenant, endpoint_id: str, delivery: str) -> DeliveryWithAttempts:
    """Ask for a delivery."""
    reply = await worker.rpc.query("webhooks", GetDelivery(endpoint_id, delivery), tenant=tenant)
    assert reply.refusal is None, reply.refusal
    return msgspec.json.decode(reply.result, type=DeliveryWithAttempts)


async def test_a_delivery_is_shown_with_its_attempts(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async def fail_once(_: web.Request) -> web.StreamResponse:
        is_first = len(receiver.received) == 1
        return web.Response(status=503 if is_first else 200, body=b"busy\x00\xff" if is_first else b"\xc3\xa9" * 600)

    receiver.answer = fail_once
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_delivered() -> bool:
            return await states(owner, tenant, endpoint.id) == ["DELIVERED"]

        await until(is_delivered)
        delivery = await shown(worker, tenant, endpoint.id, await delivery_id(owner, tenant, endpoint.id))
    first, second = delivery.attempt_log
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("DELIVERED", 2, 200)
    assert (first.number, first.status, first.error, first.error_class, first.url) == (1, 503, None, None, receiver.url)
    assert first.response == "busy\ufffd\ufffd"
    assert (second.number, second.status, second.response) == (2, 200, "\u00e9" * 512)
    assert first.started_at <= second.started_at
    assert first.connect_ms is not None
    assert 0 <= first.connect_ms <= first.duration_ms + 1
    assert second.connect_ms is None, "the second goes over the connection of the first"


async def test_an_attempt_without_an_answer_shows_what_kept_it_away(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, "http://127.0.0.1:1/")
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_given_up() -> bool:
            return await states(owner, tenant, endpoint.id) == ["EXHAUSTED"]

        await until(is_given_up)
        delivery = await shown(worker, tenant, endpoint.id, await delivery_id(owner, tenant, endpoint.id))
    assert len(delivery.attempt_log) == delivery.attempts == 1 + len(config.retry_seconds)
    for attempt in delivery.attempt_log:
        assert attempt.error is not None
        assert attempt == DeliveryAttempt(
            number=attempt.number,
            url="http://127.0.0.1:1/",
            started_at=attempt.started_at,
            duration_ms=attempt.duration_ms,
            connect_ms=None,
            status=None,
            error="connection: ClientConnectorError",
            error_class="connection",
            response="",
        )


async def test_what_is_not_there_or_somebody_elses_is_not_found(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    stranger = Tenant("stranger:live")
    async with running(build(config), config) as worker:
        mine, other = (
            await register(worker, tenant, receiver.url),
            await register(worker, tenant, receiver.url, events=("user.*",)),
        )
        theirs = await register(worker, stranger, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_delivered() -> bool:
            return await states(owner, tenant, mine.id) == ["DELIVERED"]

        await until(is_delivered)
        delivery = await delivery_id(owner, tenant, mine.id)
        asked = [
            (tenant, GetDelivery(mine.id, new_id("whd")), "DELIVERY_NOT_FOUND"),
            (tenant, GetDelivery(other.id, delivery), "DELIVERY_NOT_FOUND"),
            (tenant, GetDelivery(new_id("wh"), delivery), "WEBHOOK_NOT_FOUND"),
            (stranger, GetDelivery(mine.id, delivery), "WEBHOOK_NOT_FOUND"),
            (stranger, GetDelivery(theirs.id, delivery), "DELIVERY_NOT_FOUND"),
        ]
        for who, query, code in asked:
            reply = await worker.rpc.query("webhooks", query, tenant=who)
            assert reply.refusal is not None
            assert reply.refusal.code == code

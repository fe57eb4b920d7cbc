"""Endpoints that change while things are on their way to them."""

import asyncpg
import msgspec
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.common.contracts.commands.webhooks import RotateSecret, SendTestEvent, UpdateEndpoint
from libs.common.contracts.queries.webhooks import ListDeliveries
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Delivery, SentTest
from libs.common.kernel.ids import Tenant, new_id
from libs.common.kernel.webhook_keys import signing_key
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.domain.signing import body_signature
from services.webhooks.settings import WebhooksSettings
from tests.support.events import as_dict, event, publish
from tests.support.receiver import Receiver, receiving, saying
from tests.support.webhooks import SECRET, logged, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
NEXT = "the-secret-that-comes-next"


async def _do(worker: Worker, tenant: Tenant, message: msgspec.Struct) -> msgspec.Raw:
    reply = await worker.rpc.command("webhooks", message, tenant=tenant, command_id=new_id("cmd"))
    assert reply.refusal is None, reply.refusal
    return reply.result


async def _arrived(receiver: Receiver, count: int) -> None:
    async def they_did() -> bool:
        return len(receiver.received) >= count

    await until(they_did)


def _verifies(receiver: Receiver, place: int, secret: str) -> bool:
    request = receiver.received[place]
    try:
        Webhook(signing_key(secret)).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_through_a_rotation_every_delivery_verifies_with_the_secrets_that_are_good(
    config: WebhooksSettings, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _arrived(receiver, 1)
        await _do(worker, tenant, RotateSecret(endpoint.id, NEXT, overlap_seconds=600))
        await publish(config, [[event(tenant, "order:a", 2)]])
        await _arrived(receiver, 2)
        await _do(worker, tenant, RotateSecret(endpoint.id, "a-third-secret", overlap_seconds=600, stage_seconds=600))
        await publish(config, [[event(tenant, "order:a", 3)]])
        await _arrived(receiver, 3)
    good = [[_verifies(receiver, place, secret) for secret in (SECRET, NEXT, "a-third-secret")] for place in range(3)]
    assert good == [[True, False, False], [True, True, False], [True, True, True]]
    firsts = [request.headers["x-offerhub-signature"] for request in receiver.received]
    expected = zip((SECRET, NEXT, NEXT), receiver.received, strict=True)
    assert firsts == [body_signature(secret, request.body) for secret, request in expected]


@pytest.mark.parametrize(("status", "state"), [(200, "DELIVERED"), (500, "EXHAUSTED")])
async def test_a_test_event_goes_to_its_endpoint_alone_and_is_tried_once(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, status: int, state: str
) -> None:
    receiver.answer = saying(status)
    async with running(build(config), config) as worker, receiving() as other:
        endpoint = await register(worker, tenant, receiver.url)
        await register(worker, tenant, other.url, events=("webhook.test", "webhook.exhausted"))
        sent = msgspec.json.decode(await _do(worker, tenant, SendTestEvent(endpoint.id)), type=SentTest)

        async def is_finished() -> bool:
            return await states(owner, tenant, endpoint.id) == [state]

        await until(is_finished)
        reply = await worker.rpc.query("webhooks", ListDeliveries(endpoint.id), tenant=tenant)
        exhausted = await logged(owner, tenant, "webhook.exhausted")
    (delivery,) = msgspec.json.decode(reply.result, type=Page[Delivery]).data
    assert (delivery.id, delivery.event_type, delivery.attempts) == (sent.id, "webhook.test", 1)
    (request,) = receiver.received
    assert Webhook(signing_key(SECRET)).verify(request.body, request.headers) == as_dict(request.body)
    assert as_dict(request.body)["data"] == {"webhook_id": endpoint.id, "url": receiver.url, "delivery_id": sent.id}
    assert (other.received, exhausted) == ([], [])


async def test_what_gathers_while_an_endpoint_is_paused_is_delivered_when_it_is_not(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker, receiving() as moved:
        endpoint = await register(worker, tenant, receiver.url)
        await _do(worker, tenant, UpdateEndpoint(endpoint.id, active=False))
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 4)]])

        async def they_wait() -> bool:
            return await states(owner, tenant, endpoint.id) == ["PENDING"] * 3

        await until(they_wait)
        await _do(worker, tenant, UpdateEndpoint(endpoint.id, url=moved.url, active=True))

        async def all_are_delivered() -> bool:
            return await states(owner, tenant, endpoint.id) == ["DELIVERED"] * 3

        await until(all_are_delivered)
    assert (len(receiver.received), len(moved.received)) == (0, 3)


async def test_an_endpoint_that_said_it_is_gone_catches_up_when_it_is_back(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async def gone_at_first(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410 if len(receiver.received) == 1 else 200)

    receiver.answer = gone_at_first
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_inactive() -> bool:
            return not await owner.fetchval("SELECT active FROM webhooks.endpoints WHERE id = $1", endpoint.id)

        await until(is_inactive)
        await publish(config, [[event(tenant, "order:a", 2)]])

        async def second_waits() -> bool:
            return await states(owner, tenant, endpoint.id) == ["EXHAUSTED", "PENDING"]

        await until(second_waits)
        await _do(worker, tenant, UpdateEndpoint(endpoint.id, active=True))

        async def second_is_delivered() -> bool:
            return await states(owner, tenant, endpoint.id) == ["EXHAUSTED", "DELIVERED"]

        await until(second_is_delivered)

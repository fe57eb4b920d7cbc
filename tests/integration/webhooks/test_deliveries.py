"""Deliveries reach their endpoint signed, once the endpoint can be reached, whoever dies on the way."""

import asyncio
import gc
from collections import Counter

import asyncpg
import msgspec
import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from libs.common.contracts.queries.webhooks import ListDeliveries
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Delivery
from libs.common.kernel.ids import Tenant, derive_id
from libs.common.kernel.webhook_keys import signing_key
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import as_dict, event, publish
from tests.support.receiver import Receiver, receiving, saying
from tests.support.webhooks import SECRET, logged, register, states
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration


async def _all_are(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, state: str, count: int) -> None:
    async def they_are() -> bool:
        return await states(owner, tenant, endpoint_id) == [state] * count

    await until(they_are)


def _ids(tenant: Tenant, count: int) -> list[str]:
    return [derive_id("evt", tenant, "order:a", number) for number in range(1, count + 1)]


async def test_the_published_verifier_accepts_what_is_delivered(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 1)
    (request,) = receiver.received
    assert Webhook(signing_key(SECRET)).verify(request.body, request.headers) == as_dict(request.body)
    assert request.body == (await logged(owner, tenant))[0]["body"]
    assert as_dict(request.body) == {
        "id": _ids(tenant, 1)[0],
        "type": "order.created",
        "created_at": "2026-01-12T10:00:00.000Z",
        "sequence": 1,
        "data": {"n": 1},
    }


async def test_two_processes_deliver_each_event_once(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker, running(build(config), config):
        endpoint = await register(worker, tenant, receiver.url)
        envelopes = [event(tenant, "order:a", number) for number in range(1, 201)]
        await publish(config, [envelopes[start : start + 20] for start in range(0, 200, 20)])
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 200)
    assert sorted(receiver.event_ids()) == sorted(_ids(tenant, 200))


async def test_a_failing_receiver_is_tried_until_it_recovers(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async def fail_twice(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503 if len(receiver.received) < 3 else 204, text="not now")

    receiver.answer = fail_twice
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 1)
    assert len({(request.event_id, request.body) for request in receiver.received}) == 1
    assert [request.headers["x-offerhub-attempt"] for request in receiver.received] == ["1", "2", "3"]
    attempts = await owner.fetch("SELECT * FROM webhooks.attempts WHERE tenant = $1 ORDER BY number", tenant)
    assert [(row["number"], row["status"], row["response"]) for row in attempts] == [
        (1, 503, b"not now"),
        (2, 503, b"not now"),
        (3, 204, b""),
    ]


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("point", ["delivery.claimed", "delivery.sent", "delivery.recorded"])
async def test_nothing_is_lost_when_a_process_dies(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, point: str, after: int
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        died = die_at(point, after=after)
        for number in range(1, 7):
            await publish(config, [[event(tenant, "order:a", number)]])
        await died.wait()
        await kill(worker)
    async with running(build(config), config):
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 6)
    times = Counter(receiver.event_ids())
    assert set(times) == set(_ids(tenant, 6))
    assert len({request.body for request in receiver.received}) == 6
    assert max(times.values()) <= 2


async def test_what_is_never_accepted_is_given_up_and_announced_to_others(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = saying(500)
    async with running(build(config), config) as worker, receiving() as monitor:
        endpoint = await register(worker, tenant, receiver.url, events=("*",))
        await register(worker, tenant, monitor.url, events=("webhook.exhausted",))
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_announced() -> bool:  # as may be what it was told of itself
            return any(as_dict(request.body)["data"]["event_id"] == _ids(tenant, 1)[0] for request in monitor.received)

        await until(is_announced)
    body = as_dict(monitor.received[-1].body)
    assert body["type"] == "webhook.exhausted"
    assert body["data"]["webhook_id"] == endpoint.id
    per_event = Counter(receiver.event_ids())
    assert per_event[_ids(tenant, 1)[0]] == 1 + len(config.retry_seconds)


async def test_a_receiver_that_is_gone_is_not_asked_again(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = saying(410)
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "EXHAUSTED", 1)
        await publish(config, [[event(tenant, "order:a", 2)]])

        async def second_is_logged() -> bool:
            return len(await logged(owner, tenant)) == 2

        await until(second_is_logged)
    assert not await owner.fetchval("SELECT active FROM webhooks.endpoints WHERE id = $1", endpoint.id)
    assert receiver.event_ids() == _ids(tenant, 1)


async def test_a_receiver_that_hangs_does_not_hold_up_the_others(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    narrow = config.model_copy(update={"concurrency": 4, "endpoint_concurrency": 2})
    receiver.answer = receiver.hang
    async with running(build(narrow), narrow) as worker, receiving() as healthy:
        dead = await register(worker, tenant, receiver.url)
        alive = await register(worker, tenant, healthy.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 21)]])
        await _all_are(owner, tenant, alive.id, "DELIVERED", 20)
        assert await states(owner, tenant, dead.id) == ["PENDING"] * 20
        assert len(receiver.received) == 2
        receiver.may_go.set()
        await _all_are(owner, tenant, dead.id, "DELIVERED", 20)


async def test_a_redirect_is_a_failure_and_is_not_followed(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker, receiving() as inside:
        receiver.answer = saying(302, Location=inside.url)
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "EXHAUSTED", 1)
        assert inside.received == []


async def test_an_endless_answer_is_cut_and_its_status_counts(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async def talk_for_ever(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 4_096)

    receiver.answer = talk_for_ever
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 1)
    kept = await owner.fetchval("SELECT response FROM webhooks.attempts WHERE tenant = $1", tenant)
    assert kept == b"x" * 1_024


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1/", "connection: ClientConnectorError"),
        ("http://no-such-host.invalid/", "dns: ClientConnectorDNSError"),
        ("https://127.0.0.1:1/", "connection: ClientConnectorError"),
    ],
)
async def test_trouble_on_the_way_is_an_attempt_with_its_name(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, url: str, error: str
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "EXHAUSTED", 1)
        reply = await worker.rpc.query("webhooks", ListDeliveries(endpoint.id), tenant=tenant)
    (delivery,) = msgspec.json.decode(reply.result, type=Page[Delivery]).data
    assert (delivery.state, delivery.attempts, delivery.last_status, delivery.last_error, delivery.next_attempt_at) == (
        "EXHAUSTED",
        1 + len(config.retry_seconds),
        None,
        error,
        None,
    )


async def test_a_slow_answer_is_a_failure(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    hasty = config.model_copy(update={"timeout_seconds": 0.05})
    receiver.answer = receiver.hang
    async with running(build(hasty), hasty) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _all_are(owner, tenant, endpoint.id, "EXHAUSTED", 1)
    errors = await owner.fetch("SELECT DISTINCT error FROM webhooks.attempts WHERE tenant = $1", tenant)
    assert [row["error"] for row in errors] == ["timeout"]


async def test_stopping_gives_leases_back_at_once(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    patient = config.model_copy(update={"lease_seconds": 600.0})
    receiver.answer = receiver.hang
    async with running(build(patient), patient) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def is_under_way() -> bool:
            return len(receiver.received) == 1

        await until(is_under_way)
    receiver.may_go.set()
    async with running(build(patient), patient):
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 1)
    assert receiver.event_ids() == _ids(tenant, 1) * 2


async def test_a_burst_survives_garbage_collection(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async def answer_after_collecting(_: web.Request) -> web.StreamResponse:
        if len(receiver.received) % 10 == 5:
            gc.collect()
        await asyncio.sleep(0)
        return web.Response(status=200)

    receiver.answer = answer_after_collecting
    patient = config.model_copy(update={"lease_seconds": 600.0})
    async with running(build(patient), patient) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 41)]])
        await _all_are(owner, tenant, endpoint.id, "DELIVERED", 40)
    assert len(receiver.received) == 40

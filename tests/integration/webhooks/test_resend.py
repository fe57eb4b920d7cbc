"""A delivery that is sent again goes out at once under the same id, once per command, whoever dies on the way."""

import asyncio

import asyncpg
import pytest

from libs.common.contracts.commands.webhooks import ResendDelivery, UpdateEndpoint
from libs.common.contracts.envelope import Reply
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, accept, saying
from tests.support.webhooks import delivery_id, register, states
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration


async def _resend(worker: Worker, tenant: Tenant, endpoint_id: str, delivery: str, command_id: str | None = None) -> Reply:
    command = ResendDelivery(endpoint_id, delivery)
    return await worker.rpc.command("webhooks", command, tenant=tenant, command_id=command_id or new_id("cmd"))


async def _stands(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, state: str, attempts: int) -> None:
    async def it_does() -> bool:
        row = await owner.fetchrow(
            "SELECT state, attempts FROM webhooks.deliveries WHERE tenant = $1 AND endpoint_id = $2", tenant, endpoint_id
        )
        return row is not None and tuple(row) == (state, attempts)

    await until(it_does)


async def test_what_was_given_up_and_what_was_delivered_go_out_again(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = saying(500)
    tries = 1 + len(config.retry_seconds)
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _stands(owner, tenant, endpoint.id, "EXHAUSTED", tries)
        delivery = await delivery_id(owner, tenant, endpoint.id)
        await _resend(worker, tenant, endpoint.id, delivery)
        await _stands(owner, tenant, endpoint.id, "EXHAUSTED", 2 * tries)
        receiver.answer = accept
        await _resend(worker, tenant, endpoint.id, delivery)
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 2 * tries + 1)
        await _resend(worker, tenant, endpoint.id, delivery)
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 2 * tries + 2)
    assert len({(request.event_id, request.body) for request in receiver.received}) == 1
    numbers = [int(request.headers["x-offerhub-attempt"]) for request in receiver.received]
    assert numbers == list(range(1, 2 * tries + 3))
    assert {request.headers["x-offerhub-delivery"] for request in receiver.received} == {delivery}


async def test_a_repeated_command_sends_once_and_answers_the_same(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 1)
        delivery, command_id = await delivery_id(owner, tenant, endpoint.id), new_id("cmd")
        first = await _resend(worker, tenant, endpoint.id, delivery, command_id)
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 2)
        again = await _resend(worker, tenant, endpoint.id, delivery, command_id)
        assert bytes(again.result) == bytes(first.result)
        await _resend(worker, tenant, endpoint.id, delivery)
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 3)
    assert len(receiver.received) == 3


async def test_one_that_is_under_way_goes_out_once_more_afterwards(
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
        await _resend(worker, tenant, endpoint.id, await delivery_id(owner, tenant, endpoint.id))
        receiver.may_go.set()
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 2)
    assert len(receiver.received) == 2


async def test_a_parked_lane_tries_it_at_once(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    parking = config.model_copy(update={"breaker_failures": 2, "breaker_seconds": 300.0, "retry_seconds": (0.01,)})
    receiver.answer = saying(500)
    async with running(build(parking), parking) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _stands(owner, tenant, endpoint.id, "EXHAUSTED", 2)
        assert await owner.fetchval("SELECT parked_until > now() FROM webhooks.lanes WHERE endpoint_id = $1", endpoint.id)
        receiver.answer = accept
        await _resend(worker, tenant, endpoint.id, await delivery_id(owner, tenant, endpoint.id))
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 3)


async def test_an_endpoint_that_is_not_active_is_sent_nothing(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 1)
        pause = UpdateEndpoint(endpoint.id, active=False)
        await worker.rpc.command("webhooks", pause, tenant=tenant, command_id=new_id("cmd"))
        reply = await _resend(worker, tenant, endpoint.id, await delivery_id(owner, tenant, endpoint.id))
        assert reply.refusal is not None
        assert (reply.refusal.code, reply.refusal.details) == ("INVALID_STATE", {"current_state": "INACTIVE"})
        assert await states(owner, tenant, endpoint.id) == ["DELIVERED"]


@pytest.mark.parametrize("point", ["write.before_commit", "write.after_commit", "delivery.claimed", "delivery.sent"])
async def test_a_resend_survives_whoever_takes_it(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, point: str
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 1)
        delivery = await delivery_id(owner, tenant, endpoint.id)
        died = die_at(point)
        asking = asyncio.create_task(_resend(worker, tenant, endpoint.id, delivery))
        await died.wait()
        await kill(worker)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    async with running(build(config), config):
        await _stands(owner, tenant, endpoint.id, "DELIVERED", 2)
    assert 2 <= len(receiver.received) <= 3

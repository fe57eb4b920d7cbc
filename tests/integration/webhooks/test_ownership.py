"""An endpoint shows that it wants our deliveries by repeating the challenge of one; nothing waits until it has."""

from collections.abc import Callable

import asyncpg
import msgspec
import pytest
from aiohttp import web

from libs.common.contracts.commands.webhooks import SendTestEvent, UpdateEndpoint
from libs.common.contracts.queries.webhooks import GetEndpoint
from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.domain.signing import challenge_of
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Answering, Receiver, accept, receiving
from tests.support.webhooks import SECRET, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
HEADER = "x-offerhub-challenge"


def _repeating(status: int, change: Callable[[str], str] = str) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        said = request.headers.get(HEADER)
        return web.Response(status=status, headers={} if said is None else {HEADER: change(said)})

    return answer


async def _shown(worker: Worker, tenant: Tenant, endpoint_id: str) -> Endpoint:
    reply = await worker.rpc.query("webhooks", GetEndpoint(endpoint_id), tenant=tenant)
    return msgspec.json.decode(reply.result, type=Endpoint)


async def _tested(worker: Worker, owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str) -> None:
    """Send a test event, and wait until it has been recorded."""
    before = len(await states(owner, tenant, endpoint_id))
    reply = await worker.rpc.command("webhooks", SendTestEvent(endpoint_id), tenant=tenant, command_id=new_id("cmd"))
    assert reply.refusal is None, reply.refusal

    async def is_over() -> bool:
        found = await states(owner, tenant, endpoint_id)
        return len(found) > before and "PENDING" not in found

    await until(is_over)


async def test_an_endpoint_that_repeats_the_challenge_is_verified_and_asked_no_more(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = _repeating(204)
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        assert endpoint.verified_at is None
        await _tested(worker, owner, tenant, endpoint.id)
        shown = await _shown(worker, tenant, endpoint.id)
        assert shown.verified_at is not None
        await _tested(worker, owner, tenant, endpoint.id)
        assert (await _shown(worker, tenant, endpoint.id)).verified_at == shown.verified_at
    first, second = receiver.received
    assert first.headers[HEADER] == challenge_of(SECRET, first.headers["x-offerhub-delivery"])
    assert HEADER not in second.headers


@pytest.mark.parametrize(
    "answer",
    [accept, _repeating(500), _repeating(200, str.upper), _repeating(200, lambda said: said[:-1])],
    ids=["without", "refused", "changed", "cut"],
)
async def test_any_other_answer_shows_nothing_and_keeps_nothing_back(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, answer: Answering
) -> None:
    receiver.answer = answer
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await _tested(worker, owner, tenant, endpoint.id)
        assert (await _shown(worker, tenant, endpoint.id)).verified_at is None
        receiver.answer = accept
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def arrived() -> bool:
            return [item.headers["x-offerhub-event"] for item in receiver.received][-1] == "order.created"

        await until(arrived)
    assert all(HEADER in item.headers for item in receiver.received)


async def test_another_url_has_to_show_it_anew(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = _repeating(200)
    async with running(build(config), config) as worker, receiving() as other:
        endpoint = await register(worker, tenant, receiver.url)
        await _tested(worker, owner, tenant, endpoint.id)
        moved = UpdateEndpoint(endpoint.id, url=other.url)
        await worker.rpc.command("webhooks", moved, tenant=tenant, command_id=new_id("cmd"))
        await _tested(worker, owner, tenant, endpoint.id)
        assert (await _shown(worker, tenant, endpoint.id)).verified_at is None
        other.answer = _repeating(200)
        await _tested(worker, owner, tenant, endpoint.id)
        assert (await _shown(worker, tenant, endpoint.id)).verified_at is not None

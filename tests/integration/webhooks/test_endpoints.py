"""Endpoints are registered, read, listed and deleted, and their secrets stay where they are."""

import asyncpg
import msgspec
import pytest

from libs.common.contracts.commands.webhooks import CreateEndpoint, DeleteEndpoint
from libs.common.contracts.queries.webhooks import GetEndpoint, ListDeliveries, ListEndpoints
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Delivery, Endpoint
from libs.common.kernel.ids import Tenant, new_id
from libs.common.persistence.sealing import KeyRing
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.dumps import places, spellings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import SECRET, SECRET_KEYS, logged, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def test_an_endpoint_is_read_as_it_was_registered(config: WebhooksSettings, tenant: Tenant) -> None:
    async with running(build(config), config) as worker:
        made = await register(worker, tenant, "https://127.0.0.1:9/hook", events=("order.*", "escrow.released"))
        reply = await worker.rpc.query("webhooks", GetEndpoint(made.id), tenant=tenant)
    assert msgspec.json.decode(reply.result, type=Endpoint) == made


async def test_a_repeated_command_registers_once_and_answers_the_same(config: WebhooksSettings, tenant: Tenant) -> None:
    command, command_id = CreateEndpoint(new_id("wh"), "https://127.0.0.1:9", ("*",), SECRET), new_id("cmd")
    async with running(build(config), config) as worker:
        first = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=command_id)
        second = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=command_id)
    assert bytes(first.result) == bytes(second.result)


async def test_endpoints_are_listed_newest_first_in_pages(config: WebhooksSettings, tenant: Tenant) -> None:
    async with running(build(config), config) as worker:
        made = [(await register(worker, tenant, f"https://127.0.0.1:9/{number}")).id for number in range(5)]
        seen: list[str] = []
        cursor: str | None = None
        while True:
            reply = await worker.rpc.query("webhooks", ListEndpoints(limit=2, cursor=cursor), tenant=tenant)
            page = msgspec.json.decode(reply.result, type=Page[Endpoint])
            seen.extend(item.id for item in page.data)
            cursor = page.next_cursor
            if not page.has_more:
                break
    assert seen == sorted(made, reverse=True)


async def test_another_tenants_endpoint_is_not_there(config: WebhooksSettings, tenant: Tenant) -> None:
    stranger = Tenant("stranger:live")
    async with running(build(config), config) as worker:
        made = await register(worker, tenant, "https://127.0.0.1:9")
        asked = [
            await worker.rpc.query("webhooks", GetEndpoint(made.id), tenant=stranger),
            await worker.rpc.query("webhooks", ListDeliveries(made.id), tenant=stranger),
            await worker.rpc.command("webhooks", DeleteEndpoint(made.id), tenant=stranger, command_id=new_id("cmd")),
        ]
        kept = await worker.rpc.query("webhooks", GetEndpoint(made.id), tenant=tenant)
    assert [reply.refusal.code if reply.refusal else None for reply in asked] == ["WEBHOOK_NOT_FOUND"] * 3
    assert kept.refusal is None


async def test_plain_http_is_refused_unless_the_setting_allows_it(config: WebhooksSettings, tenant: Tenant) -> None:
    public = config.model_copy(update={"allow_private": False})
    async with running(build(public), public) as worker:
        command = CreateEndpoint(new_id("wh"), "http://127.0.0.1:9", ("*",), SECRET)
        reply = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
    assert reply.refusal is not None
    assert reply.refusal.details == {"fields": [{"field": "url", "message": "must be https"}]}


async def test_deleting_an_endpoint_cancels_what_was_on_its_way(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    slow = config.model_copy(update={"retry_seconds": (600.0,)})
    receiver.answer = saying(500)
    async with running(build(slow), slow) as worker:
        made = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def has_failed() -> bool:
            reply = await worker.rpc.query("webhooks", ListDeliveries(made.id, state="PENDING"), tenant=tenant)
            return [item.attempts for item in msgspec.json.decode(reply.result, type=Page[Delivery]).data] == [1]

        await until(has_failed)
        await worker.rpc.command("webhooks", DeleteEndpoint(made.id), tenant=tenant, command_id=new_id("cmd"))
        gone = await worker.rpc.query("webhooks", GetEndpoint(made.id), tenant=tenant)

        async def is_canceled() -> bool:
            return await states(owner, tenant, made.id) == ["CANCELED"]

        await until(is_canceled)

        async def is_announced() -> bool:
            return [row["sequence"] for row in await logged(owner, tenant, "webhook.deleted")] == [2]

        await until(is_announced)
    assert gone.refusal is not None
    assert await owner.fetchval("SELECT count(*) FROM webhooks.secrets WHERE tenant = $1", tenant) == 0


async def test_the_secret_is_in_the_database_sealed_and_not_otherwise(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(config), config) as worker:
        made = await register(worker, tenant, "https://127.0.0.1:9")
    sealed = await owner.fetchval("SELECT sealed FROM webhooks.secrets WHERE tenant = $1", tenant)
    ring = KeyRing.parse(SECRET_KEYS, entropy=bytes)
    assert ring.open(sealed, tenant, made.id) == SECRET.encode()
    assert {"webhooks.endpoints.id", "webhooks.inbox.reply"} <= await places(owner, made.id.encode())
    assert await places(owner, *spellings(SECRET.encode())) == set()

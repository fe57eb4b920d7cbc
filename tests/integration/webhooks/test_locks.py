"""Whoever locks more than one row locks them in one order."""

import asyncpg
import pytest
from aiohttp import web

from libs.common.kernel.ids import Tenant
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
_WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"


async def test_whoever_changes_an_endpoint_while_a_failure_is_recorded_waits_for_nobody_who_waits_for_it(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    """The endpoint is locked before its lane by both, or one of them would be a deadlock's victim."""

    async def fail_late(_: web.Request) -> web.StreamResponse:
        await receiver.may_go.wait()
        return web.Response(status=500)

    async def record_waits() -> bool:
        return bool(await owner.fetchval(_WAITS))

    once = config.model_copy(update={"retry_seconds": ()})
    receiver.answer = saying(500)
    async with running(build(once), once) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await until(lambda: owner.fetchval("SELECT count(*) FROM webhooks.lanes WHERE tenant = $1", tenant))
        receiver.answer = fail_late
        await publish(config, [[event(tenant, "order:a", 2)]])

        async def is_under_way() -> bool:
            return len(receiver.received) == 2

        await until(is_under_way)
        await owner.execute("SET deadlock_timeout = '10ms'")  # the first to look for one is its victim
        async with owner.transaction():
            await owner.execute("SELECT FROM webhooks.endpoints WHERE id = $1 FOR NO KEY UPDATE", endpoint.id)
            receiver.may_go.set()
            await until(record_waits)
            await owner.execute("UPDATE webhooks.lanes SET failures = 0 WHERE endpoint_id = $1", endpoint.id)

        async def both_ended() -> bool:
            return await states(owner, tenant, endpoint.id) == ["EXHAUSTED"] * 2

        await until(both_ended)

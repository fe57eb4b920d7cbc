"""An endpoint that was down for hours catches up by itself; `make bench-webhooks` does it with twenty thousand deliveries."""

from datetime import timedelta

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant
from services.webhooks.app import build
from services.webhooks.domain.retry_schedule import WAITS_SECONDS
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, accept, saying
from tests.support.webhooks import register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
EVENTS = 200
PATIENCE = 3
_LATER = (
    "UPDATE webhooks.deliveries SET next_attempt_at = next_attempt_at - $2::interval WHERE tenant = $1 AND state = 'PENDING'",
    "UPDATE webhooks.lanes SET parked_until = parked_until - $2::interval WHERE tenant = $1",
)


async def test_what_was_parked_for_six_hours_arrives_without_anybody_s_help(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    real = config.model_copy(
        update={"retry_seconds": WAITS_SECONDS, "breaker_failures": PATIENCE, "breaker_seconds": 300.0, "disable_hours": 120.0}
    )
    receiver.answer = saying(503)

    async def probed() -> bool:
        return bool(await owner.fetchval("SELECT max(probes) > $2 FROM webhooks.lanes WHERE tenant = $1", tenant, seen))

    async def all_arrived() -> bool:
        return await states(owner, tenant, endpoint.id) == ["DELIVERED"] * EVENTS

    async def hours_pass(hours: int) -> None:
        for statement in _LATER:
            await owner.execute(statement, tenant, timedelta(hours=hours))

    seen = 0
    async with running(build(real), real) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, f"order:{number}", 1) for number in range(EVENTS)]])

        async def all_wait() -> bool:
            return len(await states(owner, tenant, endpoint.id)) == EVENTS

        await until(all_wait)
        for probes in range(3):
            seen = probes
            await until(probed)
            await hours_pass(2)
        receiver.answer = accept
        await hours_pass(1)
        await until(all_arrived)
    burnt = await owner.fetchval("SELECT sum(attempts) FROM webhooks.deliveries WHERE endpoint_id = $1", endpoint.id)
    assert burnt <= EVENTS + 50, "what is parked burns no attempts"
    assert await owner.fetchval("SELECT active FROM webhooks.endpoints WHERE tenant = $1", tenant)

"""The health of an endpoint is what its deliveries and its breaker make of it, and costs the same whatever waits."""

import asyncpg
import msgspec
import pytest

from libs.common.contracts.queries.webhooks import GetHealth
from libs.common.contracts.replies.webhooks import Counts, EndpointHealth
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from libs.common.persistence.pool import open_pool
from services.webhooks.app import build
from services.webhooks.domain.health import BACKLOG_COUNTED
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import health
from tests.support.events import event, publish
from tests.support.plans import Explaining
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
_MANY = """
INSERT INTO webhooks.deliveries (tenant, endpoint_id, id, position, state, attempts, next_attempt_at, created_at, logged_at)
SELECT $1, $2, 'whd_' || lpad(n::text, 26, '0'), n, $3, 0, now(), now(), now() FROM generate_series($4::int, $4 + 12000) n
"""


async def _health(worker: Worker, tenant: Tenant, endpoint_id: str) -> EndpointHealth:
    reply = await worker.rpc.query("webhooks", GetHealth(endpoint_id), tenant=tenant)
    assert reply.refusal is None, reply.refusal
    return msgspec.json.decode(reply.result, type=EndpointHealth)


async def test_an_endpoint_that_answers_is_well(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        fresh = await _health(worker, tenant, endpoint.id)
        assert (fresh.breaker, fresh.backlog, fresh.oldest_seconds, fresh.answer_p50_ms) == ("CLOSED", 0, None, None)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 21)]])

        async def all_are_delivered() -> bool:
            return await states(owner, tenant, endpoint.id) == ["DELIVERED"] * 20

        await until(all_are_delivered)
        well = await _health(worker, tenant, endpoint.id)
    assert (well.last_hour, well.last_day) == (Counts(20, 0), Counts(20, 0))
    assert (well.breaker, well.failures_in_a_row, well.backlog, well.drain_seconds) == ("CLOSED", 0, 0, 0)
    assert well.last_success_at is not None
    assert well.answer_p50_ms is not None
    assert well.answer_p99_ms is not None
    assert well.answer_p50_ms <= well.answer_p99_ms
    assert (well.failing_since, well.disables_at, well.disables_in_seconds) == (None, None, None)


async def test_an_endpoint_that_fails_tells_when_it_is_tried_and_when_it_ends(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    parking = config.model_copy(update={"breaker_failures": 3, "breaker_seconds": 300.0, "retry_seconds": (60.0,)})
    receiver.answer = saying(500)
    async with running(build(parking), parking) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 11)]])

        async def is_parked() -> bool:
            return (await _health(worker, tenant, endpoint.id)).breaker == "OPEN"

        await until(is_parked)
        ill = await _health(worker, tenant, endpoint.id)
        stranger = await worker.rpc.query("webhooks", GetHealth(endpoint.id), tenant=Tenant("stranger:live"))
    assert stranger.refusal is not None
    assert stranger.refusal.code == "WEBHOOK_NOT_FOUND"
    assert ill.failures_in_a_row >= 3
    assert (ill.backlog, ill.backlog_is_longer, ill.drain_seconds) == (10, False, None)
    assert ill.next_probe_at is not None
    assert ill.failing_since is not None
    assert ill.disables_at is not None
    assert ill.failing_since < ill.next_probe_at < ill.disables_at
    assert ill.disables_in_seconds is not None
    assert 0 < ill.disables_in_seconds <= 120 * 3_600
    assert ill.last_hour == Counts(0, ill.failures_in_a_row)
    assert ill.oldest_seconds is not None


async def test_it_costs_no_more_when_much_waits(config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant) -> None:
    """Beside a neighbour's backlog and a history of its own, both longer than what is counted."""
    endpoints = [new_id("wh"), new_id("wh")]
    for endpoint in endpoints:
        await owner.execute(
            "INSERT INTO webhooks.endpoints VALUES ($1, $2, 'http://x', '[]', NULL, false, 1, now(), now())", tenant, endpoint
        )
        for state, first in (("PENDING", 0), ("DELIVERED", 100_000)):
            await owner.execute(_MANY, tenant, endpoint, state, first)
    await owner.execute("VACUUM ANALYZE webhooks.deliveries")
    settings = config.database_url.get_secret_value()
    pool = await open_pool(settings, schema="webhooks", size=1, application="test")
    explaining = Explaining(pool)
    found = await health.standings(explaining, [(tenant, endpoints[0])])  # type: ignore[arg-type] # it reads like a pool
    await pool.close()
    assert found[tenant, endpoints[0]].backlog == BACKLOG_COUNTED + 1
    [cost] = explaining.costs
    assert cost.rows_read <= BACKLOG_COUNTED + 10
    assert "Seq Scan" not in {node["Node Type"] for node in cost.nodes if node.get("Relation Name") == "deliveries"}
    assert cost.rows_sorted <= 1

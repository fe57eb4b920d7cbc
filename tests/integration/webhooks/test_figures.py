"""What monitoring is told of deliveries."""

from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from libs.common.kernel.ids import Tenant
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, saying
from tests.support.webhooks import register, states
from tests.support.workers import running, until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("alone")]


@pytest.fixture
async def alone(owner: asyncpg.Connection) -> None:
    """Let nothing of other tenants be due: figures are everybody's."""
    await owner.execute("DELETE FROM webhooks.deliveries")
    await owner.execute("DELETE FROM webhooks.lanes")


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def counted() -> dict[str, float]:
    return {
        "delivered": figure("offerhub_webhook_deliveries_total", outcome="DELIVERED"),
        "good": figure("offerhub_webhook_answers_total", answer="2xx"),
        "bad": figure("offerhub_webhook_answers_total", answer="5xx"),
        "first": figure("offerhub_webhook_commit_to_send_seconds_count"),
        "new": figure("offerhub_webhook_connections_total", kind="new"),
        "reused": figure("offerhub_webhook_connections_total", kind="reused"),
    }


async def test_attempts_are_counted_by_what_came_of_them(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    patient = config.model_copy(update={"retry_seconds": (0.05,) * 40, "breaker_failures": 1_000})
    receiver.answer = saying(500)
    async with running(build(patient), patient) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        before = counted()
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 6)]])

        async def some_failed() -> bool:
            return len(receiver.received) > 5

        await until(some_failed)
        receiver.answer = saying(204)

        async def all_came() -> Any:
            return (
                await states(owner, tenant, endpoint.id) == ["DELIVERED"] * 5
                and counted()["delivered"] - before["delivered"] == 5
            )

        await until(all_came)
    change = {name: value - before[name] for name, value in counted().items()}
    assert (change["delivered"], change["good"], change["first"]) == (5, 5, 5)
    assert change["bad"] >= 5
    assert change["new"] > 0
    assert change["reused"] > 0
    assert change["new"] + change["reused"] == len(receiver.received)


async def test_lanes_are_shown_by_what_becomes_of_them(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    parking = config.model_copy(update={"breaker_failures": 1, "breaker_seconds": 300.0})
    receiver.answer = saying(503)
    async with running(build(parking), parking) as worker:
        await register(worker, tenant, receiver.url)
        before = figure("offerhub_webhook_lanes", state="parked")
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 4)]])

        async def one_more_is_parked() -> bool:
            parked = figure("offerhub_webhook_lanes", state="parked")
            return parked == before + 1 and figure("offerhub_webhook_lane_oldest_seconds", state="parked") > 0

        await until(one_more_is_parked)
        await owner.execute("UPDATE webhooks.lanes SET parked_until = NULL, failures = 0 WHERE tenant = $1", tenant)
        await owner.execute("UPDATE webhooks.endpoints SET active = false WHERE tenant = $1", tenant)

        async def it_is_none_of_them() -> bool:
            return figure("offerhub_webhook_lanes", state="parked") == before

        await until(it_is_none_of_them)
        assert figure("offerhub_webhook_lanes", state="inactive") > 0

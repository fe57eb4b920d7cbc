"""What tests of the webhooks service ask it and look up in its schema."""

from typing import Any

import asyncpg
import msgspec

from libs.common.contracts.commands.webhooks import CreateEndpoint
from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.settings import WebhooksSettings
from tests.support.workers import QUEUE_EXPIRES_MS, ROLE_SECRET

SECRET = "a-secret-of-a-test-run"
SECRET_KEYS = f"test:{'5a' * 32}"


def webhooks_settings(postgres_url: str, amqp_url: str, bus_prefix: str, **others: Any) -> WebhooksSettings:
    """What a webhooks worker of a test run reads from its environment: quick polls, leases and retries."""
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": amqp_url,
        "bus_prefix": bus_prefix,
        "queue_expires_ms": QUEUE_EXPIRES_MS,
        "secret_keys": SECRET_KEYS,
        "allow_private": True,
        "retry_seconds": (0.01, 0.01, 0.01, 0.01),
        "lease_seconds": 1.0,
        "housekeeping_seconds": 0.1,
        "poll_seconds": 0.05,
        "breaker_seconds": 0.01,
    }
    return WebhooksSettings(**(values | others))


async def register(
    worker: Worker, tenant: Tenant, url: str, *, events: tuple[str, ...] = ("order.*",), **others: Any
) -> Endpoint:
    """Register an endpoint whose secret is `SECRET`."""
    command = CreateEndpoint(new_id("wh"), url, events, SECRET, **others)
    reply = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
    assert reply.refusal is None, reply.refusal
    return msgspec.json.decode(reply.result, type=Endpoint)


async def logged(owner: asyncpg.Connection, tenant: Tenant, kind: str = "order.created") -> list[asyncpg.Record]:
    """Read a tenant's log of one type of event, in order."""
    return await owner.fetch("SELECT * FROM webhooks.event_log WHERE tenant = $1 AND type = $2 ORDER BY position", tenant, kind)


async def delivery_id(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str) -> str:
    """Read the id of an endpoint's only delivery."""
    [row] = await owner.fetch("SELECT id FROM webhooks.deliveries WHERE tenant = $1 AND endpoint_id = $2", tenant, endpoint_id)
    return str(row["id"])


async def states(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str) -> list[str]:
    """Read the states of an endpoint's deliveries, in the order of their events."""
    rows = await owner.fetch(
        "SELECT state FROM webhooks.deliveries WHERE tenant = $1 AND endpoint_id = $2 ORDER BY position", tenant, endpoint_id
    )
    return [row["state"] for row in rows]

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from services.gateway.settings import GatewaySettings
from tests.support.gateway import MASTER_KEY, FakeServices, Served
from tests.support.workers import QUEUE_EXPIRES_MS, ROLE_SECRET, until

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


class Process:
    """A gateway process of its own, on a socket it inherits."""

    def __init__(self, process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
        self.process = process
        self.client = client


@pytest.fixture
async def apart(config: GatewaySettings) -> AsyncIterator[Process]:
    environment = os.environ | {
        "DATABASE_URL": config.database_url.get_secret_value(),
        "OFFERHUB_DB_ROLE_SECRET": ROLE_SECRET,
        "AMQP_URL": config.amqp_url.get_secret_value(),
        "OFFERHUB_BUS_PREFIX": config.bus_prefix,
        "OFFERHUB_QUEUE_EXPIRES_MS": str(QUEUE_EXPIRES_MS),
        "OFFERHUB_MASTER_KEY": MASTER_KEY,
        "OFFERHUB_RATE_LIMITS": "off",
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - that is what the call says
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.gateway",
            env=environment | {"OFFERHUB_GATEWAY_FD": str(listener.fileno())},
            pass_fds=[listener.fileno()],
            stdout=asyncio.subprocess.DEVNULL,
        )
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
    headers = {"Authorization": f"Bearer {MASTER_KEY}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:

        async def healthy() -> bool:
            return (await client.get("/health")).status_code == 200

        await until(healthy)
        yield Process(process, client)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def under_way(services: FakeServices) -> None:
    async def arrived() -> bool:
        return bool(services.heard)

    await until(arrived)


async def test_a_stopped_gateway_finishes_what_it_accepted(apart: Process, served: Served, services: FakeServices) -> None:
    services.held.clear()
    request = asyncio.create_task(apart.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "drained"}))
    await under_way(services)
    apart.process.send_signal(signal.SIGTERM)

    async def refuses() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", apart.client.base_url.port or 0)) != 0

    await until(refuses)
    services.held.set()
    answer = await request
    assert answer.status_code == 201
    assert await asyncio.wait_for(apart.process.wait(), 20) == 0
    stored = await served.gateway.pool.fetchval("SELECT body FROM requests WHERE key = 'drained'")
    assert stored == answer.content


async def test_a_killed_gateways_request_is_finished_by_another_under_its_command_id(
    apart: Process, served: Served, services: FakeServices
) -> None:
    services.held.clear()
    headers = {"Idempotency-Key": "killed"}
    request = asyncio.create_task(apart.client.post("/orders", json=ORDER, headers=headers))
    await under_way(services)
    apart.process.kill()
    with pytest.raises(httpx.HTTPError):
        await request
    services.held.set()
    early = await served.client.post("/orders", json=ORDER, headers=headers)
    assert json.loads(early.content)["error"]["code"] == "IDEMPOTENCY_KEY_IN_PROGRESS"
    await served.gateway.pool.execute("UPDATE requests SET claimed_at = now() - interval '16 s' WHERE key = 'killed'")
    again = await served.client.post("/orders", json=ORDER, headers=headers)
    assert again.status_code == 201
    assert len({envelope.id for envelope, _ in services.heard}) == 1
    assert len(services.effects) == 1

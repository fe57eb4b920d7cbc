import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Process, Served, gateway_process
from tests.support.workers import until

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


@pytest.fixture
async def apart(config: GatewaySettings) -> AsyncIterator[Process]:
    async with gateway_process(config) as process:
        yield process


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

"""A worker says what it can do, finishes what it took, and does not go on half alive."""

import asyncio
import dataclasses
from pathlib import Path

import httpx
import pytest

from libs.common.contracts.queries.ledger import GetBalance
from libs.common.kernel.ids import Tenant
from libs.common.messaging.worker import Parts
from libs.common.settings import ServiceSettings
from services.ledger.app import build
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def _dies(_: Parts) -> None:
    raise ValueError("nobody expected this")


async def test_a_background_loop_that_dies_breaks_its_worker(config: ServiceSettings) -> None:
    async with running(dataclasses.replace(build(), loops=(_dies,)), config) as worker:
        await asyncio.wait_for(worker.is_broken.wait(), 5)


async def test_the_side_door_tells_health_readiness_and_numbers(config: ServiceSettings, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    with_port = config.model_copy(update={"health_port_file": str(port_file)})
    async with running(build(), with_port) as worker, httpx.AsyncClient() as client:
        base = f"http://127.0.0.1:{port_file.read_text()}"
        assert (await client.get(f"{base}/health")).json()["status"] == "alive"
        assert (await client.get(f"{base}/ready")).json() == {"status": "ready", "checks": {"broker": "ok", "database": "ok"}}
        await worker.rpc.query("ledger", GetBalance("usr_nobody"), tenant=Tenant("t:live"))
        assert "offerhub_bus_published_total" in (await client.get(f"{base}/metrics")).text
        worker.pool.terminate()

        async def not_ready() -> bool:
            answer = await client.get(f"{base}/ready")
            return answer.status_code == 503 and answer.json()["checks"]["broker"] == "ok"

        await until(not_ready)

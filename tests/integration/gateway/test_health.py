"""Health in detail: every dependency, probed at most once a second."""

from typing import Any

import pytest
from pydantic import SecretStr

from libs.common.contracts.topology import SERVICES
from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Served, fake_services, serving
from tests.support.workers import until

pytestmark = pytest.mark.integration


async def detailed(served: Served) -> dict[str, Any]:
    answer = await served.client.get("/health/detailed", headers={"Authorization": ""})
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_it_is_public_and_tells_of_every_dependency(served: Served, services: FakeServices) -> None:
    health = await detailed(served)
    assert health["status"] == "healthy"
    assert set(health) == {"status", "version", "timestamp", "maintenance", "dependencies"}
    assert set(health["dependencies"]) == {"database", "broker", "redis", *SERVICES}
    assert health["dependencies"].pop("redis") == {"status": "disabled", "latency_ms": None}
    for check in health["dependencies"].values():
        assert check["status"] == "ok"
        assert 0 <= check["latency_ms"] < 1000


async def test_without_its_services_it_is_degraded_and_recovers(served: Served, amqp_url: str, bus_prefix: str) -> None:
    health = await detailed(served)
    assert health["status"] == "degraded"
    assert {name: check["status"] for name, check in health["dependencies"].items()} == {
        "database": "ok", "broker": "ok", "redis": "disabled", **dict.fromkeys(SERVICES, "unreachable"),
    }  # fmt: skip
    async with fake_services(amqp_url, bus_prefix):

        async def is_healthy() -> bool:
            return bool((await detailed(served))["status"] == "healthy")

        await until(is_healthy)


async def test_without_its_broker_it_is_unhealthy_and_says_so_at_once(config: GatewaySettings) -> None:
    lost = config.model_copy(update={"amqp_url": SecretStr("amqp://guest:guest@127.0.0.1:1/")})
    async with serving(lost) as served:
        health = await detailed(served)
        assert (health["status"], health["dependencies"]["broker"]["status"]) == ("unhealthy", "unreachable")
        assert health["dependencies"]["database"]["status"] == "ok"
        assert (await served.client.get("/health")).status_code == 503


async def test_a_redis_that_is_gone_degrades(config: GatewaySettings, amqp_url: str, bus_prefix: str) -> None:
    lost = config.model_copy(update={"rate_limits": "on", "redis_url": SecretStr("redis://127.0.0.1:1/0")})
    async with serving(lost) as served:
        await served.gateway.link.wait_up(10)
        async with fake_services(amqp_url, bus_prefix):
            health = await detailed(served)
    assert (health["status"], health["dependencies"]["redis"]["status"]) == ("degraded", "unreachable")

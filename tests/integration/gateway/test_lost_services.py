import asyncio
import time

import pytest
from pydantic import SecretStr

from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Served, error_of, gathered, serving
from tests.support.workers import until

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}
NOWHERE = "amqp://guest:guest@127.0.0.1:1/"


async def test_without_a_broker_everything_is_503_soon_and_no_key_is_used_up(config: GatewaySettings) -> None:
    async with serving(config.model_copy(update={"amqp_url": SecretStr(NOWHERE)})) as served:
        started = time.monotonic()
        posts = [served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": f"gone-{n}"}) for n in range(20)]
        answers = await gathered(*posts, served.client.post("/orders", json=ORDER), served.client.get("/orders/ord_1"))
        assert time.monotonic() - started < 10
        for answer in answers:
            assert (answer.status_code, error_of(answer)["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert (answer.headers["retry-after"], error_of(answer)["retryable"]) == ("1", True)
        await until(lambda: _none_left(served))
        health = await served.client.get("/health")
        assert (health.status_code, health.json()["data"]["checks"]["broker"]) == (503, "unreachable")


async def _none_left(served: Served) -> bool:
    left: int = await served.gateway.pool.fetchval("SELECT count(*) FROM requests WHERE key LIKE 'gone-%' AND holds_key")
    return left == 0


async def test_an_answer_that_is_lost_is_504_and_the_retry_runs_under_the_same_command_id(
    served: Served, services: FakeServices
) -> None:
    services.held.clear()
    headers = {"Idempotency-Key": "lost"}
    first = asyncio.create_task(served.client.post("/orders", json=ORDER, headers=headers))

    async def arrived() -> bool:
        return bool(services.heard)

    await until(arrived)
    connection = served.gateway.link._connection
    assert connection is not None
    await connection.close()
    lost = await first
    assert (lost.status_code, error_of(lost)["code"], error_of(lost)["retryable"]) == (504, "OUTCOME_UNKNOWN", True)
    services.held.set()
    await served.gateway.link.wait_up(10)
    again = await served.client.post("/orders", json=ORDER, headers=headers)
    assert again.status_code == 201
    assert len({envelope.id for envelope, _ in services.heard}) == 1
    assert len(services.effects) == 1


async def test_a_question_that_is_lost_is_asked_again_unseen(served: Served, services: FakeServices) -> None:
    known = services.answers["GetOrder"]
    silent = [True]
    services.answers["GetOrder"] = lambda it: None if silent.pop() else known(it)
    question = asyncio.create_task(served.client.get("/orders/ord_1"))

    async def arrived() -> bool:
        return bool(services.heard)

    await until(arrived)
    services.answers["GetOrder"] = known
    connection = served.gateway.link._connection
    assert connection is not None
    await connection.close()
    assert (await question).status_code == 200
    assert len(services.told("GetOrder")) == 2


async def test_without_its_database_the_gateway_is_503_and_never_500(served: Served, services: FakeServices) -> None:
    served.gateway.pool.terminate()
    for answer in (
        await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "no-db"}),
        await served.client.get("/auth/api-keys"),
        await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read"]}),
    ):
        assert (answer.status_code, error_of(answer)["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert services.heard == []

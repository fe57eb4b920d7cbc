"""Maintenance pauses writes everywhere within a second, and nothing else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Served, error_of, make_key, serving
from tests.support.workers import until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_records")]
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}
ENABLE, DISABLE, STATE = "/admin/maintenance/enable", "/admin/maintenance/disable", "/admin/maintenance"


@pytest.fixture(autouse=True)
async def afterwards_it_is_off(served: Served) -> AsyncIterator[None]:
    yield
    assert (await served.client.post(DISABLE)).json()["data"] == {
        "enabled": False, "message": None, "enabled_at": None, "enabled_by": None,
    }  # fmt: skip


async def test_writes_wait_reads_and_the_operators_work_go_on(served: Served, services: FakeServices) -> None:
    state = (await served.client.post(ENABLE, json={"message": "Moving house until noon"})).json()["data"]
    assert (state["enabled"], state["message"], state["enabled_by"]) == (True, "Moving house until noon", "master")
    for method, path, body in (
        ("POST", "/orders", ORDER),
        ("POST", "/orders/ord_1/reserve", None),
        ("DELETE", "/webhooks/wh_1", None),
    ):
        answer = await served.client.request(method, path, json=body, headers={"Idempotency-Key": path})
        error = error_of(answer)
        assert (answer.status_code, error["code"], error["retryable"]) == (503, "SERVICE_UNAVAILABLE", True)
        assert (error["message"], error["details"]) == ("Moving house until noon", {"maintenance": True})
        assert int(answer.headers["retry-after"]) > 0
    assert services.heard == []
    assert (await served.client.get("/orders/ord_1")).status_code == 200
    made = await make_key(served)
    assert (await served.client.post(f"/auth/api-keys/{made['id']}/rotate")).status_code == 201
    assert (await served.client.delete(f"/auth/api-keys/{made['id']}")).status_code == 200
    assert (await served.client.get(STATE)).json()["data"] == state
    assert (await served.client.get("/health/detailed")).json()["data"]["maintenance"] is True
    await served.client.post(DISABLE)
    assert (await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "/orders"})).status_code == 201


async def test_who_may_not_write_is_told_that_first(served: Served) -> None:
    reader = await make_key(served, scopes=["read"])
    await served.client.post(ENABLE)
    assert (await served.client.post("/orders", json=ORDER, headers=served.keyed(reader["key"]))).status_code == 403
    assert (await served.client.post("/orders", json=ORDER, headers=served.keyed("nonsense"))).status_code == 401


async def test_only_the_master_key_switches_and_support_may_look(served: Served) -> None:
    support = await make_key(served, scopes=["read", "write", "support"])
    headers = served.keyed(support["key"])
    for path in (ENABLE, DISABLE):
        answer = await served.client.post(path, headers=headers)
        assert (answer.status_code, error_of(answer)["details"]["required_scope"]) == (403, "master")
    assert (await served.client.get(STATE, headers=headers)).json()["data"]["enabled"] is False
    plain = await make_key(served)
    assert (await served.client.get(STATE, headers=served.keyed(plain["key"]))).status_code == 403


async def test_a_second_time_changes_the_message_only(served: Served) -> None:
    first = (await served.client.post(ENABLE)).json()["data"]
    second = (await served.client.post(ENABLE, json={"message": "Longer than thought"})).json()["data"]
    assert (first["message"], second["message"]) == (None, "Longer than thought")
    assert first["enabled_at"] == second["enabled_at"]
    for body in ({"message": "x" * 501}, {"message": 5}, {"massage": "x"}):
        assert (await served.client.post(ENABLE, json=body)).status_code == 400


async def test_every_process_obeys_within_a_second_and_a_new_one_from_its_first_request(
    served: Served, services: FakeServices, config: GatewaySettings
) -> None:
    async with serving(config) as other:
        await other.gateway.link.wait_up(10)
        assert (await other.client.post("/orders", json=ORDER)).status_code == 201
        await served.client.post(ENABLE)
        await until(lambda: _status(other, 503), seconds=5)
        async with serving(config) as late:
            assert (await late.client.post("/orders", json=ORDER)).status_code == 503
        await served.client.post(DISABLE)
        await until(lambda: _status(other, 201), seconds=5)


async def _status(served: Served, wanted: int) -> bool:
    return (await served.client.post("/orders", json=ORDER)).status_code == wanted


async def test_a_look_that_began_before_the_switch_does_not_undo_it(served: Served) -> None:
    mode = served.gateway.maintenance
    looks = [asyncio.create_task(mode.refresh()) for _ in range(20)]
    await asyncio.sleep(0)
    await mode.enable(message=None, by="master")
    await asyncio.gather(*looks)
    assert mode.is_on

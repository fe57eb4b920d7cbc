import asyncio

import pytest

from libs.common.kernel.errors import Refusal
from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Served, error_of, gathered, serving
from tests.support.workers import until

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


async def completed(served: Served, key: str) -> bool:
    return await served.gateway.pool.fetchval("SELECT state = 'completed' FROM requests WHERE key = $1", key) is True


async def test_a_repeat_gets_the_same_bytes_and_nothing_happens_again(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "same"}
    first = await served.client.post("/orders", json=ORDER, headers=headers)
    await until(lambda: completed(served, "same"))
    again = await served.client.post("/orders", json=dict(reversed(ORDER.items())), headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert (again.headers["idempotency-replay"], again.headers["x-idempotency-key"]) == ("true", "same")
    assert "idempotency-replay" not in first.headers
    assert len(services.told("CreateOrder")) == 1


async def test_twenty_identical_posts_are_one_effect(served: Served, services: FakeServices, config: GatewaySettings) -> None:
    async with serving(config) as other:
        await other.gateway.link.wait_up(10)
        headers = {"Idempotency-Key": "twenty"}
        clients = [served.client, other.client] * 10
        answers = await gathered(*(client.post("/orders", json=ORDER, headers=headers) for client in clients))
        bodies = {answer.content for answer in answers if answer.status_code == 201}
        assert len(bodies) == 1
        rest = [answer for answer in answers if answer.status_code != 201]
        assert all(error_of(answer)["code"] == "IDEMPOTENCY_KEY_IN_PROGRESS" for answer in rest)
        late = await other.client.post("/orders", json=ORDER, headers=headers)
        assert (late.content, late.headers["idempotency-replay"]) == (bodies.pop(), "true")
    assert len({envelope.id for envelope, _ in services.heard}) == 1


async def test_a_repeat_of_a_slow_request_waits_and_is_then_told_to_come_back(served: Served, services: FakeServices) -> None:
    services.held.clear()
    headers = {"Idempotency-Key": "slow"}
    first = asyncio.create_task(served.client.post("/orders", json=ORDER, headers=headers))

    async def under_way() -> bool:
        return bool(services.heard)

    await until(under_way)
    early = await served.client.post("/orders", json=ORDER, headers=headers)
    assert (early.status_code, error_of(early)["code"]) == (409, "IDEMPOTENCY_KEY_IN_PROGRESS")
    assert (early.headers["retry-after"], error_of(early)["retryable"]) == ("1", True)
    other = await served.client.post("/orders", json=ORDER | {"title": "Other"}, headers=headers)
    assert error_of(other)["code"] == "IDEMPOTENCY_KEY_REUSED"
    services.held.set()
    assert (await first).status_code == 201


async def test_another_body_or_path_under_the_key_is_409(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "reused"}
    await served.client.post("/orders", json=ORDER, headers=headers)
    await until(lambda: completed(served, "reused"))
    for path, body in (
        ("/orders", ORDER | {"amount": "100"}),
        ("/users", {"external_user_id": "x"}),
        ("/orders/ord_1/reserve", {}),
    ):
        answer = await served.client.post(path, json=body, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert len(services.heard) == 1


async def test_a_final_refusal_is_replayed_and_a_retryable_one_is_a_new_attempt(served: Served, services: FakeServices) -> None:
    services.answers["ReserveOrder"] = lambda _: Refusal("INSUFFICIENT_FUNDS", "Too little")
    final = {"Idempotency-Key": "final"}
    first = await served.client.post("/orders/ord_1/reserve", headers=final)
    await until(lambda: completed(served, "final"))
    again = await served.client.post("/orders/ord_1/reserve", headers=final)
    assert (again.status_code, again.content) == (422, first.content)
    assert len(services.heard) == 1

    services.answers["ReserveOrder"] = lambda _: Refusal("INVALID_STATE", "Busy", {"retryable": True})
    busy = {"Idempotency-Key": "busy"}
    for _ in range(2):
        answer = await served.client.post("/orders/ord_1/reserve", headers=busy)
        assert answer.status_code == 409
    assert len({envelope.id for envelope, _ in services.heard[1:]}) == 2


async def test_keys_of_different_callers_do_not_meet(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "shared"}
    made = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["write"]})
    mine = await served.client.post("/orders", json=ORDER, headers=headers)
    theirs = await served.client.post("/orders", json=ORDER, headers=headers | served.keyed(made.json()["data"]["key"]))
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["data"]["id"] != theirs.json()["data"]["id"]


async def test_an_invalid_body_does_not_use_the_key_up(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "typo"}
    assert (await served.client.post("/orders", json=ORDER | {"amount": 1}, headers=headers)).status_code == 400
    assert (await served.client.post("/orders", json=ORDER, headers=headers)).status_code == 201


async def test_what_a_killed_gateway_left_is_finished_under_its_command_id(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "orphan"}
    first = await served.client.post("/orders", json=ORDER, headers=headers)
    await until(lambda: completed(served, "orphan"))
    pool = served.gateway.pool
    fresh = (
        "UPDATE requests SET state = 'in_progress', status = NULL, body = NULL, claimed_at = now() - $1 * interval '1 second'"
        " WHERE key = 'orphan'"
    )
    await pool.execute(fresh, 1)
    early = await served.client.post("/orders", json=ORDER, headers=headers)
    assert error_of(early)["code"] == "IDEMPOTENCY_KEY_IN_PROGRESS"
    await pool.execute(fresh, 16)
    again = await served.client.post("/orders", json=ORDER, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert len({envelope.id for envelope, _ in services.heard}) == 1
    assert len(services.effects) == 1


async def test_an_expired_key_is_a_new_request(served: Served, services: FakeServices) -> None:
    headers = {"Idempotency-Key": "old"}
    first = await served.client.post("/orders", json=ORDER, headers=headers)
    await until(lambda: completed(served, "old"))
    await served.gateway.pool.execute("UPDATE requests SET expires_at = now() WHERE key = 'old'")
    again = await served.client.post("/orders", json=ORDER | {"title": "New"}, headers=headers)
    assert again.status_code == 201
    assert again.json()["data"]["id"] != first.json()["data"]["id"]


@pytest.mark.parametrize(
    ("path", "days"), [("/orders", 7), ("/orders/ord_1/reserve", 7), ("/users", 1), ("/disputes/dsp_1/assign", None)]
)
async def test_a_key_is_kept_as_long_as_its_kind_of_request(
    served: Served, services: FakeServices, path: str, days: int | None
) -> None:
    bodies: dict[str, dict[str, object]] = {
        "/orders": dict(ORDER),
        "/users": {"external_user_id": path},
        "/disputes/dsp_1/assign": {"assigned_to": "a"},
    }
    services.answers["AssignDispute"] = lambda _: Refusal("DISPUTE_NOT_FOUND", "No such dispute")
    key = f"window{path}"
    await served.client.post(path, json=bodies.get(path, {}), headers={"Idempotency-Key": key})
    left = await served.gateway.pool.fetchval("SELECT expires_at - now() FROM requests WHERE key = $1", key)
    assert left is None if days is None else days - 1 <= left.total_seconds() / 86_400 <= days

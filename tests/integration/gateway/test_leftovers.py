"""What a gateway leaves behind when it dies between the claim of a request and the end of its record."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from libs.common.contracts.commands.common import Forgo
from libs.common.kernel.errors import Refusal
from libs.common.messaging import faults
from services.gateway.settings import GatewaySettings
from tests.support.gateway import FakeServices, Served, error_of, serving
from tests.support.workers import until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_records")]
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}


@contextlib.asynccontextmanager
async def trapped(point: str) -> AsyncIterator[list[str]]:
    """Let the process die at a point; the list says how often it did."""
    deaths: list[str] = []

    def die() -> None:
        deaths.append(point)
        raise faults.KilledError(point)

    faults.set_trap(point, die)
    try:
        yield deaths
    finally:
        faults.clear_traps()


async def post_and_die(config: GatewaySettings, point: str, key: str | None, path: str = "/orders") -> None:
    """Send a request to a gateway of its own that dies at a fault point while it works on it."""
    headers = {} if key is None else {"Idempotency-Key": key}
    async with serving(config) as doomed, trapped(point) as deaths:
        await doomed.gateway.link.wait_up(10)
        with contextlib.suppress(httpx.HTTPError):
            answer = await doomed.client.post(path, json=ORDER if path == "/orders" else {}, headers=headers)
            assert answer.status_code == 500
        assert deaths == [point]


async def age(owner: asyncpg.Connection) -> None:
    """Let every lease run out."""
    await owner.execute(
        "UPDATE gateway.requests SET started_at = started_at - interval '16 s', claimed_at = claimed_at - interval '16 s'"
    )


async def only_record(owner: asyncpg.Connection) -> asyncpg.Record:
    """The one record, once it has ended."""

    async def ended() -> asyncpg.Record | None:
        return await owner.fetchrow("SELECT * FROM gateway.requests WHERE state = 'completed'")

    record: asyncpg.Record = await until(ended)
    return record


@pytest.mark.parametrize("key", ["left", None])
async def test_what_was_never_sent_is_given_up_for_good(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection, key: str | None
) -> None:
    await post_and_die(config, "request.claimed", key)
    assert services.heard == []
    await age(owner)
    services.answers[Forgo.__name__] = lambda _: Refusal("NOT_EXECUTED", "Given up")
    await served.gateway.sweeper.sweep()
    record = await only_record(owner)
    assert (record["status"], record["code"], record["holds_key"]) == (503, "NOT_EXECUTED", False)
    if key is not None:
        again = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": key})
        assert again.status_code == 201
        assert again.json()["data"]["id"] != f"ord_{record['id'].partition('_')[2]}"


@pytest.mark.parametrize("key", ["left", None])
async def test_what_was_done_is_recorded_as_done_and_replayed(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection, key: str | None
) -> None:
    await post_and_die(config, "request.answered", key)
    (made,) = services.told("CreateOrder")
    await age(owner)
    await served.gateway.sweeper.sweep()
    record = await only_record(owner)
    assert (record["status"], record["resource_id"], record["holds_key"]) == (201, made.order_id, key is not None)
    if key is not None:
        again = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": key})
        assert (again.status_code, again.content) == (201, record["body"])
        assert again.headers["idempotency-replay"] == "true"
    assert len(services.effects) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [("/users", {"external_user_id": "left"}), ("/users/usr_1/balance/credit", {"amount": "10.00", "currency": "USD"})],
)
async def test_answers_that_the_gateway_shapes_are_shaped_by_the_sweeper_too(
    served: Served,
    services: FakeServices,
    config: GatewaySettings,
    owner: asyncpg.Connection,
    path: str,
    body: dict[str, str],
) -> None:
    async with serving(config) as doomed, trapped("request.answered"):
        await doomed.gateway.link.wait_up(10)
        with contextlib.suppress(httpx.HTTPError):
            await doomed.client.post(path, json=body, headers={"Idempotency-Key": "shaped"})
    await age(owner)
    await served.gateway.sweeper.sweep()
    record = await only_record(owner)
    await owner.execute("UPDATE gateway.requests SET state = 'in_progress', status = NULL, body = NULL, claimed_at = NULL")
    straight = await served.client.post(path, json=body, headers={"Idempotency-Key": "shaped"})
    assert (record["status"], record["body"]) == (straight.status_code, straight.content)
    assert "idempotency-replay" not in straight.headers


async def test_a_repeat_does_not_have_to_wait_for_the_sweeper(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection
) -> None:
    await post_and_die(config, "request.answered", "impatient")
    early = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "impatient"})
    assert error_of(early)["code"] == "IDEMPOTENCY_KEY_IN_PROGRESS"
    await age(owner)
    again = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "impatient"})
    assert again.status_code == 201
    assert len(services.effects) == 1
    await only_record(owner)
    assert await served.gateway.sweeper.sweep() == 0


async def test_a_request_that_was_given_up_is_not_done_when_its_gateway_wakes_up(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection
) -> None:
    await post_and_die(config, "request.claimed", "slow")
    await age(owner)
    services.answers[Forgo.__name__] = lambda _: Refusal("NOT_EXECUTED", "Given up")
    await served.gateway.sweeper.sweep()
    record = await only_record(owner)
    # The same command id arrives after all: the inbox has its answer, and the caller is told that nothing happened.
    await owner.execute("UPDATE gateway.requests SET state = 'in_progress', status = NULL, holds_key = true")
    late = await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "slow"})
    assert (late.status_code, error_of(late)["code"], late.headers["retry-after"]) == (503, "NOT_EXECUTED", "1")
    assert services.told("CreateOrder") != []
    assert set(services.effects) == {f"cmd_{record['id'].partition('_')[2]}"}
    assert (await served.client.post("/orders", json=ORDER, headers={"Idempotency-Key": "slow"})).status_code == 201


async def test_a_silent_owner_is_asked_again_later(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection
) -> None:
    await post_and_die(config, "request.claimed", "silent")
    await age(owner)
    await served.gateway.link.stop()
    await served.gateway.sweeper.sweep()
    assert await owner.fetchval("SELECT state FROM gateway.requests") == "in_progress"
    assert await served.gateway.sweeper.sweep() == 0


async def test_the_gateways_own_work_is_left_open(
    served: Served, services: FakeServices, config: GatewaySettings, owner: asyncpg.Connection
) -> None:
    made = (await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read"]})).json()["data"]
    await only_record(owner)
    await owner.execute("DELETE FROM gateway.requests")
    headers = {"Idempotency-Key": "revoke"}
    async with serving(config) as doomed, trapped("request.answered"):
        with contextlib.suppress(httpx.HTTPError):
            await doomed.client.delete(f"/auth/api-keys/{made['id']}", headers=headers)
    await age(owner)
    await served.gateway.sweeper.sweep()
    record = await only_record(owner)
    assert (record["status"], record["code"], record["body"]) == (504, "OUTCOME_UNKNOWN", None)
    again = await served.client.delete(f"/auth/api-keys/{made['id']}", headers=headers)
    assert (again.status_code, again.json()["data"]["status"]) == (200, "revoked")

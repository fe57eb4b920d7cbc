"""Rate limits over real HTTP: what is counted, what is not, and what happens when nobody can count."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body
from prometheus_client import REGISTRY
from pydantic import SecretStr
from redis.asyncio import Redis

from services.gateway.app import TABLE
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.idempotency import DAY, Claimed, Taken
from services.gateway.domain.limits import GENERAL, Rule
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import Amount, Fields, Name
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.settings import GatewaySettings
from services.gateway.store.requests import Claim, Requests
from tests.support.gateway import Served, error_of, fields_of, gateway_process, gathered, serving
from tests.support.servers import RedisServer
from tests.support.workers import until

pytestmark = pytest.mark.integration
ORDER = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "100.00", "title": "Logo"}
SKETCHES = Rule("sketches", 3, message="Too many sketches", field="user_id")
NO_REDIS = SecretStr("redis://127.0.0.1:1/0")


class NewSketch(Fields):
    """What the operation of these tests takes."""

    user_id: Name
    amount: Amount


class Sketches:
    """An operation with a limit per user, and how often it was done."""

    def __init__(self) -> None:
        self.done: list[str] = []

        async def make_sketch(call: Calling, body: Annotated[NewSketch, Body()]) -> Answer:
            async def run(command_id: str) -> Answer:
                self.done.append(body.user_id)
                return resource(f'{{"id":"{command_id}"}}'.encode(), status=201)

            return await call.once(run, window=DAY)

        operation = Operation("POST", "/sketches", make_sketch, Scope.WRITE, status=201, limit=SKETCHES)
        self.table = (*TABLE, ("Sketches", (operation,)))


@pytest.fixture
def limited(config: GatewaySettings) -> GatewaySettings:
    return config.model_copy(update={"rate_limits": "on"})


@pytest.fixture
async def shared(limited: GatewaySettings, redis_url: str) -> GatewaySettings:
    """What earlier tests counted under the master key is forgotten."""
    async with Redis.from_url(redis_url) as redis:
        async for window in redis.scan_iter(match=f"offerhub:{limited.bus_prefix}*"):
            await redis.delete(window)
    return limited.model_copy(update={"redis_url": SecretStr(redis_url)})


@pytest.fixture(params=["memory", "redis"])
def counted(request: pytest.FixtureRequest) -> GatewaySettings:
    """Settings of a gateway that counts by itself, then of one that counts in Redis."""
    chosen: GatewaySettings = request.getfixturevalue("limited" if request.param == "memory" else "shared")
    return chosen


@contextlib.asynccontextmanager
async def up(settings: GatewaySettings, **choices: Any) -> AsyncIterator[Served]:
    async with serving(settings, **choices) as served:
        await served.gateway.link.wait_up(10)
        yield served


async def new_key(served: Served, *scopes: str, **where: str) -> dict[str, str]:
    """Headers of a key that nobody has used."""
    made = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": scopes or ("read", "write")} | where)
    return served.keyed(made.json()["data"]["key"])


def left(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining"])


async def test_the_hundred_and_first_request_of_a_minute_is_429(counted: GatewaySettings) -> None:
    async with up(counted) as served:
        headers = await new_key(served)
        answers = [await served.client.get("/me", headers=headers) for _ in range(101)]
        last = answers.pop()
        assert {answer.status_code for answer in answers} == {200}
        assert [left(answer) for answer in answers] == list(range(99, -1, -1))
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"100"}
        resets = {int(answer.headers["x-ratelimit-reset"]) for answer in answers}
        assert max(resets) - min(resets) <= 1
        error = error_of(last)
        assert (last.status_code, error["code"], left(last), error["retryable"]) == (429, "RATE_LIMITED", 0, True)
        assert error["message"] == "Too many requests"
        assert 1 <= int(last.headers["retry-after"]) == error["details"]["retry_after"] <= 60
        other = await served.client.get("/me", headers=await new_key(served))
        assert (other.status_code, left(other)) == (200, 99)


async def test_without_a_key_the_address_is_counted_and_a_wrong_key_is_none(counted: GatewaySettings) -> None:
    async with up(counted) as served:
        served.client.headers.pop("Authorization")
        paths = ("/config", "/health", "/me", "/orders/ord_1", "/nothing")
        answers = [await served.client.get(path) for path in paths]
        answers.append(await served.client.get("/me", headers=served.keyed("ohk_live_" + "0" * 49)))
        answers.append(await served.client.post("/orders", content=b"nonsense", headers={"Idempotency-Key": "stranger"}))
        assert [answer.status_code for answer in answers] == [200, 200, 401, 401, 404, 401, 401]
        assert [left(answer) for answer in answers] == [99, 98, 97, 96, 95, 94, 93]


async def test_gateways_that_share_a_redis_share_the_count(shared: GatewaySettings) -> None:
    async with up(shared) as one, up(shared) as other:
        headers = await new_key(one)
        assert [left(await served.client.get("/me", headers=headers)) for served in (one, other, one)] == [99, 98, 97]


async def test_a_users_limit_is_told_with_its_own_words_and_numbers(counted: GatewaySettings) -> None:
    sketches = Sketches()
    async with up(counted, table=sketches.table) as served:
        headers = await new_key(served)

        async def ask(user: str, **others: str) -> httpx.Response:
            body = {"userId": user, "amount": "1.00"}
            return await served.client.post("/sketches", json=body, headers=headers | others)

        answers = [await ask("usr_1"), await ask("usr_1"), await ask("usr_1", **{"Idempotency-Key": "third"}), await ask("usr_1")]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert [(answer.headers["x-ratelimit-limit"], left(answer)) for answer in answers] == [
            ("3", 2), ("3", 1), ("3", 0), ("3", 0)
        ]  # fmt: skip
        refusal = answers[-1]
        error = error_of(refusal)
        assert (error["code"], error["message"], error["details"]["limit"]) == ("RATE_LIMITED", "Too many sketches", 3)
        assert 1 <= int(refusal.headers["retry-after"]) == error["details"]["retry_after"] <= 60
        assert (await ask("usr_2")).status_code == 201
        assert sketches.done == ["usr_1"] * 3 + ["usr_2"]
        assert left(await served.client.get("/me", headers=headers)) == 100 - 6


async def test_a_users_limit_holds_for_all_keys_of_its_marketplace_and_for_no_other(counted: GatewaySettings) -> None:
    sketches = Sketches()
    async with up(counted, table=sketches.table) as served:
        one, two = await new_key(served), await new_key(served)
        live, test = await new_key(served, marketplace="other"), await new_key(served, mode="test")
        statuses = []
        for headers in (one, two, one, two, live, test):
            answer = await served.client.post("/sketches", json={"user_id": "usr_1", "amount": "1"}, headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [201, 201, 201, 429, 201, 201]


async def test_repeats_are_answered_and_never_counted(counted: GatewaySettings) -> None:
    sketches = Sketches()
    async with up(counted, table=sketches.table, general=Rule("general", 4)) as served:
        headers = await new_key(served)

        async def ask(key: str) -> httpx.Response:
            body = {"user_id": "usr_1", "amount": "1.00"}
            return await served.client.post("/sketches", json=body, headers=headers | {"Idempotency-Key": key})

        first = [await ask(key) for key in "abc"]
        assert [answer.status_code for answer in first] == [201] * 3
        for _ in range(5):
            again = [await ask(key) for key in "abc"]
            assert [answer.content for answer in again] == [answer.content for answer in first]
            assert {answer.headers["idempotency-replay"] for answer in again} == {"true"}
            assert {left(answer) for answer in again} == {0}
        assert left(await served.client.get("/me", headers=headers)) == 0
        assert (await served.client.get("/me", headers=headers)).status_code == 429
        assert (await ask("d")).status_code == 429
        assert [(await ask(key)).status_code for key in "abc"] == [201] * 3
        assert len(sketches.done) == 3


async def test_a_repeat_whose_answer_is_not_kept_is_not_counted_either(counted: GatewaySettings) -> None:
    async with up(counted) as served:
        headers = await new_key(served, "support") | {"Idempotency-Key": "shown-once"}

        async def ask() -> httpx.Response:
            return await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["support"]}, headers=headers)

        first = await ask()
        again = [await ask() for _ in range(3)]
        assert {answer.content for answer in again} == {first.content}
        assert [left(answer) for answer in (first, *again)] == [99] * 4


async def test_a_refused_key_may_be_used_when_the_window_is_over(counted: GatewaySettings) -> None:
    sketches = Sketches()
    general = Rule("general", 2, seconds=0.5)
    async with up(counted, table=sketches.table, general=general) as served:
        body = {"user_id": "usr_1", "amount": "1.00"}
        keyed = await new_key(served) | {"Idempotency-Key": "patient"}
        answers = [await served.client.get("/me", headers=keyed) for _ in range(2)]
        answers.append(await served.client.post("/sketches", json=body, headers=keyed))

        async def admitted() -> bool:
            answers.append(await served.client.post("/sketches", json=body, headers=keyed))
            return answers[-1].status_code != 429

        await until(admitted, seconds=5)
        assert [answer.status_code for answer in answers[:2]] == [200, 200]
        assert {answer.status_code for answer in answers[2:-1]} == {429}
        assert (answers[-1].status_code, left(answers[-1]), len(sketches.done)) == (201, 1, 1)


async def test_a_keyed_request_at_fault_is_counted_and_an_exhausted_caller_learns_nothing_more(counted: GatewaySettings) -> None:
    sketches = Sketches()
    async with up(counted, table=sketches.table, general=Rule("general", 4)) as served:
        headers = await new_key(served, "read", "support") | {"Idempotency-Key": "faulty"}
        writer = await new_key(served) | {"Idempotency-Key": "faulty"}
        wrong_scope = await served.client.post("/sketches", json={}, headers=headers)
        assert (wrong_scope.status_code, left(wrong_scope)) == (403, 3)
        bad = [await served.client.post("/sketches", json={"amount": 1}, headers=writer) for _ in range(3)]
        bad.append(await served.client.post("/nothing", json={}, headers=writer))
        assert [(answer.status_code, left(answer)) for answer in bad] == [(400, 3), (400, 2), (400, 1), (404, 0)]
        assert fields_of(bad[0]) == ["user_id", "amount"]
        spent = await served.client.post("/sketches", json={"amount": 1}, headers=writer)
        assert (spent.status_code, error_of(spent)["code"]) == (429, "RATE_LIMITED")


async def test_the_configuration_tells_the_limits_that_are_enforced(config: GatewaySettings, limited: GatewaySettings) -> None:
    async with serving(limited, table=Sketches().table) as served:
        told = (await served.client.get("/config")).json()["data"]["rate_limits"]
        assert told[:3] == [
            {"name": "general", "requests": 100, "window_seconds": 60, "per": "api_key"},
            {"name": "withdrawals", "requests": 5, "window_seconds": 60, "per": "user"},
            {"name": "sketches", "requests": 3, "window_seconds": 60, "per": "user"},
        ]
    async with serving(config) as served:
        answer = await served.client.get("/config")
        assert answer.json()["data"]["rate_limits"] == []
        assert "x-ratelimit-limit" not in answer.headers


def uncounted(outcome: str) -> float:
    return REGISTRY.get_sample_value("offerhub_rate_limits_uncounted_total", {"outcome": outcome}) or 0.0


async def test_when_nobody_counts_reads_go_on_and_writes_wait(limited: GatewaySettings) -> None:
    sketches = Sketches()
    lost = limited.model_copy(update={"redis_url": NO_REDIS})
    async with up(lost, table=sketches.table) as served:
        admitted, refused = uncounted("admitted"), uncounted("refused")
        for _ in range(3):
            read = await served.client.get("/me")
            assert (read.status_code, "x-ratelimit-limit" in read.headers) == (200, False)
        for key in ({}, {"Idempotency-Key": "unlucky"}):
            write = await served.client.post("/sketches", json={"user_id": "usr_1", "amount": "1"}, headers=key)
            assert (write.status_code, error_of(write)["code"], write.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "1")
        assert (uncounted("admitted") - admitted, uncounted("refused") - refused) == (3, 2)
        assert sketches.done == []
    async with up(limited, table=sketches.table) as served:
        again = await served.client.post("/sketches", json={"user_id": "usr_2", "amount": "1"}, headers=key)
        assert (again.status_code, sketches.done) == (201, ["usr_2"])


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_a_counter_that_goes_away_and_comes_back_is_used_again(
    limited: GatewaySettings, redis_server: RedisServer, fault: str
) -> None:
    sketches = Sketches()
    body = {"user_id": "usr_1", "amount": "1"}
    async with up(limited.model_copy(update={"redis_url": SecretStr(redis_server.url)}), table=sketches.table) as served:
        keyed = {"Idempotency-Key": f"before-{fault}"}
        before = await served.client.post("/sketches", json=body, headers=keyed)
        assert (before.status_code, left(before)) == (201, 2)
        if fault == "kill":
            redis_server.kill()
        else:
            redis_server.freeze(frozen=True)
        lost = await gathered(*(served.client.post("/sketches", json=body) for _ in range(8)))
        assert {answer.status_code for answer in lost} == {503}
        assert (await served.client.get("/me")).status_code == 200
        repeat = await served.client.post("/sketches", json=body, headers=keyed)
        assert (repeat.status_code, repeat.content) == (201, before.content)
        if fault == "kill":
            redis_server.start()
        else:
            redis_server.freeze(frozen=False)

        async def counts_again() -> bool:
            return "x-ratelimit-limit" in (await served.client.get("/me")).headers

        await until(counts_again, seconds=10)
        after = await served.client.post("/sketches", json=body)
        assert (after.status_code, left(after)) == (201, 2 if fault == "kill" else 1)
        assert len(sketches.done) == 2


async def test_a_flood_beyond_the_limit_reaches_neither_redis_nor_the_table_of_requests(
    limited: GatewaySettings, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed: list[Claim] = []
    claim = Requests.claim

    async def noted(store: Requests, claims: Sequence[Claim]) -> list[Claimed | Taken]:
        claimed.extend(claims)
        return await claim(store, claims)

    monkeypatch.setattr(Requests, "claim", noted)
    sketches, body = Sketches(), {"user_id": "usr_1", "amount": "1"}
    settings = limited.model_copy(update={"redis_url": SecretStr(redis_server.url)})
    async with up(settings, table=sketches.table, general=Rule("general", 2)) as served:
        headers = await new_key(served)
        first = await served.client.post("/sketches", json=body, headers=headers | {"Idempotency-Key": "good"})
        await served.client.get("/me", headers=headers)
        assert (await served.client.get("/me", headers=headers)).status_code == 429
        claimed.clear()
        redis_server.freeze(frozen=True)
        flood = [served.client.post("/sketches", json=body, headers=headers | {"Idempotency-Key": f"f{n}"}) for n in range(20)]
        flood += [served.client.post("/sketches", json=body, headers=headers) for _ in range(20)]
        flood += [served.client.get("/me", headers=headers) for _ in range(20)]
        answers = await gathered(*flood)
        assert {(answer.status_code, left(answer), "retry-after" in answer.headers) for answer in answers} == {(429, 0, True)}
        assert claimed == []
        repeat = await served.client.post("/sketches", json=body, headers=headers | {"Idempotency-Key": "good"})
        assert (repeat.status_code, repeat.content) == (201, first.content)
        redis_server.freeze(frozen=False)
    assert len(sketches.done) == 1


async def test_four_gateways_that_are_hammered_together_admit_exactly_a_hundred(shared: GatewaySettings) -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = shared.redis_url.get_secret_value()
        processes = await asyncio.gather(*(stack.enter_async_context(gateway_process(shared, REDIS_URL=url)) for _ in range(4)))
        made = await processes[0].client.post("/auth/api-keys", json={"name": "hammer", "scopes": ["read", "write"]})
        headers = {"Authorization": f"Bearer {made.json()['data']['key']}"}

        async def hammer(client: httpx.AsyncClient) -> list[httpx.Response]:
            keyed = headers | {"Idempotency-Key": "never-valid"}
            asked = [client.get("/me", headers=headers) for _ in range(40)]
            asked += [client.post("/orders", json={}, headers=keyed) for _ in range(20)]
            return await gathered(*asked)

        answers = [answer for some in await asyncio.gather(*(hammer(each.client) for each in processes)) for answer in some]
        seen = Counter(answer.status_code for answer in answers)
        assert seen[200] + seen[400] == GENERAL.amount
        assert seen[429] == len(answers) - GENERAL.amount
        admitted = [left(answer) for answer in answers if answer.status_code != 429]
        assert sorted(admitted) == list(range(GENERAL.amount))

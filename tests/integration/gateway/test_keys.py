import string

import asyncpg
import pytest

from services.gateway.entrypoints.http.public import VERSION
from services.gateway.settings import GatewaySettings
from tests.support.dumps import places, spellings
from tests.support.gateway import MASTER_KEY, FakeServices, Served, error_of, let_go, make_key, serving
from tests.support.workers import until

pytestmark = pytest.mark.integration
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


async def test_a_key_works_and_says_who_it_is(served: Served, services: FakeServices) -> None:
    made = await make_key(served, marketplace="shop", mode="test", scopes=["write", "read"])
    assert made["key"].startswith("ohk_test_")
    me = await served.client.get("/me", headers=served.keyed(made["key"]))
    assert me.json()["data"] == {
        "api_key_id": made["id"], "name": "k", "marketplace": "shop", "mode": "test", "scopes": ["read", "write"],
        "expires_at": None, "version": VERSION,
    }  # fmt: skip
    await served.client.get("/orders/ord_1", headers=served.keyed(made["key"]))
    assert services.heard[-1][0].tenant == "shop:test"


async def test_the_key_itself_is_shown_once_and_stored_nowhere(served: Served, owner: asyncpg.Connection) -> None:
    headers = {"Idempotency-Key": "once"}
    answer = await served.client.post(
        "/auth/api-keys", json={"name": "k", "scopes": ["read"], "marketplace": "once"}, headers=headers
    )
    made = answer.json()["data"]
    listed = (await served.client.get("/auth/api-keys?marketplace=once")).json()["data"]
    assert [(key["id"], key.get("key")) for key in listed] == [(made["id"], None)]
    await let_go(owner, "once")
    assert await places(owner, made["id"].encode()) == {"gateway.api_keys.id", "gateway.requests.resource_id"}
    assert await places(owner, made["hint"].removesuffix("…").encode()) == {"gateway.api_keys.hint"}
    whole = made["key"]
    secret = whole[len("ohk_live_") : -6]
    number = sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(secret)))
    needles = (*spellings(whole.encode()), *spellings(secret.encode()), *spellings(number.to_bytes(32, "big")))
    assert await places(owner, *needles) == set()


async def test_a_repeated_creation_gives_the_same_key_without_storing_it(served: Served, owner: asyncpg.Connection) -> None:
    headers = {"Idempotency-Key": "make-a-key"}
    first, second = [
        await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read"]}, headers=headers) for _ in range(2)
    ]
    assert first.content == second.content
    await let_go(owner, "make-a-key")
    rows = await owner.fetch("SELECT state, body FROM gateway.requests WHERE key = 'make-a-key'")
    assert {tuple(row) for row in rows} == {("completed", None)}


async def test_a_revoked_key_is_refused_by_every_process_within_a_second(served: Served, config: GatewaySettings) -> None:
    made = await make_key(served)
    async with serving(config) as other:
        for process in (served, other):
            assert (await process.client.get("/me", headers=process.keyed(made["key"]))).status_code == 200
        revoked = await served.client.delete(f"/auth/api-keys/{made['id']}")
        assert (revoked.status_code, revoked.json()["data"]["status"]) == (200, "revoked")
        assert (await served.client.get("/me", headers=served.keyed(made["key"]))).status_code == 401

        async def refused() -> bool:
            return (await other.client.get("/me", headers=other.keyed(made["key"]))).status_code == 401

        await until(refused, seconds=2)


async def test_a_support_key_rules_over_its_own_marketplace_only(served: Served) -> None:
    support = await make_key(served, marketplace="a", scopes=["support"])
    headers = served.keyed(support["key"])
    wanted = {"name": "k", "scopes": ["support"]}
    own = await served.client.post("/auth/api-keys", json=wanted, headers=headers)
    assert (own.status_code, own.json()["data"]["marketplace"]) == (201, "a")
    for change in ({"marketplace": "b"}, {"mode": "test"}, {"scopes": ["write"]}):
        answer = await served.client.post("/auth/api-keys", json=wanted | change, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "INSUFFICIENT_SCOPE")
    stranger = await make_key(served, marketplace="b")
    assert (await served.client.delete(f"/auth/api-keys/{stranger['id']}", headers=headers)).status_code == 404
    assert (await served.client.delete(f"/auth/api-keys/{stranger['id']}?marketplace=b", headers=headers)).status_code == 403


async def test_keys_are_listed_in_pages_newest_first(served: Served) -> None:
    made = [await make_key(served, marketplace="pages") for _ in range(3)]
    first = (await served.client.get("/auth/api-keys?marketplace=pages&limit=2")).json()
    second = (await served.client.get(f"/auth/api-keys?marketplace=pages&cursor={first['pagination']['next_cursor']}")).json()
    assert [key["id"] for key in first["data"] + second["data"]] == [key["id"] for key in reversed(made)]
    assert (first["pagination"]["has_more"], second["pagination"]["has_more"]) == (True, False)


async def test_nearly_the_master_key_is_not_the_master_key(served: Served) -> None:
    for text in (MASTER_KEY[:-1], MASTER_KEY + "x", MASTER_KEY.upper()):
        assert (await served.client.get("/me", headers=served.keyed(text))).status_code == 401

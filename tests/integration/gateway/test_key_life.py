"""Keys that end, are bound to addresses, are rotated, and tell when they were last used."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant
from services.gateway.domain.access import MASTER_ID
from services.gateway.domain.addresses import parse_network
from services.gateway.domain.api_keys import mint
from services.gateway.settings import GatewaySettings
from tests.support.dumps import places, spellings
from tests.support.gateway import FakeServices, Served, error_of, fields_of, let_go, make_key, serving
from tests.support.workers import until

pytestmark = pytest.mark.integration
clock = SystemClock()


def soon(seconds: float) -> str:
    return (clock.now() + timedelta(seconds=seconds)).isoformat()


async def me(served: Served, key: str, **headers: str) -> httpx.Response:
    return await served.client.get("/me", headers=served.keyed(key) | headers)


async def refused(served: Served, key: str) -> dict[str, Any]:
    """The error that a key gets once it is refused."""
    answer = await until(lambda: _unless_good(served, key), seconds=10)
    return error_of(answer)


async def _unless_good(served: Served, key: str) -> httpx.Response | None:
    answer = await me(served, key)
    return None if answer.status_code == 200 else answer


async def listed(served: Served, key_id: str) -> dict[str, Any]:
    data: dict[str, Any] = (await served.client.get(f"/auth/api-keys/{key_id}")).json()["data"]
    return data


async def test_a_key_ends_at_its_hour_and_not_before(served: Served) -> None:
    ends = clock.now() + timedelta(seconds=2)
    made = await make_key(served, expires_at=ends.isoformat())
    answer = await me(served, made["key"])
    assert answer.json()["data"]["expires_at"] == made["expires_at"]
    error = await refused(served, made["key"])
    assert clock.now() >= ends
    assert (error["code"], error["message"], error["details"]) == ("UNAUTHORIZED", "Invalid API key", {})
    assert (await listed(served, made["id"]))["status"] == "expired"


async def test_unknown_expired_and_revoked_keys_are_answered_alike(served: Served, owner: asyncpg.Connection) -> None:
    expired, revoked = await make_key(served), await make_key(served)
    await owner.execute("UPDATE gateway.api_keys SET expires_at = now() WHERE id = $1", expired["id"])
    await served.client.delete(f"/auth/api-keys/{revoked['id']}")
    unknown = mint(b"somebody else's pepper", "cmd_1", "live")
    answers = [await me(served, key) for key in (expired["key"], revoked["key"], unknown)]
    told = [{**error_of(answer), "request_id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert told[0] == told[1] == told[2]
    assert [dict(answer.headers, **{"x-request-id": ""}) for answer in answers].count(
        dict(answers[0].headers, **{"x-request-id": ""})
    ) == 3


async def test_a_key_may_be_bound_to_addresses(served: Served) -> None:
    good = await make_key(served, allowed_ips=["127.0.0.0/8", "2001:db8::/32"])
    assert good["allowed_ips"] == ["127.0.0.0/8", "2001:db8::/32"]
    assert (await me(served, good["key"])).status_code == 200
    bad = await make_key(served, allowed_ips=["192.0.2.1"])
    answer = await me(served, bad["key"], **{"X-Forwarded-For": "192.0.2.1"})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "ADDRESS_NOT_ALLOWED")
    assert error_of(answer)["details"] == {"address": "127.0.0.1"}


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (["192.0.2.1"], 200),
        (["203.0.113.5, 192.0.2.1"], 200),
        (["203.0.113.5", "192.0.2.1"], 200),
        (["192.0.2.1, 203.0.113.5"], 403),
        (["192.0.2.1, nonsense"], 403),
        (["192.0.2.9"], 200),
        ([], 403),
    ],
)
async def test_behind_a_trusted_proxy_it_says_who_asks(config: GatewaySettings, forwarded: list[str], status: int) -> None:
    trusting = config.model_copy(update={"trusted_proxies": (parse_network("127.0.0.1"), parse_network("192.0.2.9"))})
    async with serving(trusting) as served:
        made = await make_key(served, allowed_ips=["192.0.2.0/24"])
        headers = [("Authorization", f"Bearer {made['key']}"), *(("X-Forwarded-For", value) for value in forwarded)]
        assert (await served.client.get("/me", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": 1_900_000_000}, "expires_at"),
        ({"allowed_ips": ["10.0.0.5/8"]}, "allowed_ips[0]"),
        ({"allowed_ips": ["localhost"]}, "allowed_ips[0]"),
        ({"allowed_ips": [1]}, "allowed_ips[0]"),
        ({"allowed_ips": "127.0.0.1"}, "allowed_ips"),
        ({"allowed_ips": ["127.0.0.1"] * 101}, "allowed_ips"),
    ],
)
async def test_limits_that_make_no_sense_are_400_and_make_no_key(
    served: Served, owner: asyncpg.Connection, fields: dict[str, object], named: str
) -> None:
    before = await owner.fetchval("SELECT count(*) FROM gateway.api_keys")
    answer = await served.client.post("/auth/api-keys", json={"name": "k", "scopes": ["read"]} | fields)
    assert fields_of(answer) == [named]
    assert await owner.fetchval("SELECT count(*) FROM gateway.api_keys") == before


async def test_keys_made_by_a_limited_key_are_limited_too(served: Served) -> None:
    limits = {"expires_at": soon(60), "allowed_ips": ["127.0.0.0/8"]}
    support = await make_key(served, scopes=["support"], marketplace="limits", **limits)
    headers = served.keyed(support["key"])
    wanted = {"name": "k", "scopes": ["support"]}
    heir = (await served.client.post("/auth/api-keys", json=wanted, headers=headers)).json()["data"]
    assert (heir["expires_at"], heir["allowed_ips"]) == (support["expires_at"], support["allowed_ips"])
    late = await served.client.post("/auth/api-keys", json=wanted | {"expires_at": soon(90)}, headers=headers)
    assert fields_of(late) == ["expires_at"]
    away = await served.client.post("/auth/api-keys", json=wanted | {"allowed_ips": ["0.0.0.0/0"]}, headers=headers)
    assert fields_of(away) == ["allowed_ips"]
    other = await make_key(served, scopes=["support"], marketplace="limits")
    answer = await served.client.post(f"/auth/api-keys/{other['id']}/rotate", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "INSUFFICIENT_SCOPE")


async def test_a_rotated_key_has_everything_of_the_old_one_and_both_work_for_a_while(served: Served) -> None:
    old = await make_key(served, scopes=["write", "read"], allowed_ips=["127.0.0.1"], expires_at=soon(3600))
    answer = await served.client.post(f"/auth/api-keys/{old['id']}/rotate")
    assert answer.status_code == 201
    new = answer.json()["data"]
    same = ("name", "scopes", "marketplace", "mode", "allowed_ips", "expires_at")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["status"], new["replaces"]) == ("active", old["id"])
    assert [(await me(served, key["key"])).json()["data"]["api_key_id"] for key in (old, new)] == [old["id"], new["id"]]
    shown = await listed(served, old["id"])
    assert (shown["status"], shown["replaced_by"]) == ("retiring", new["id"])
    left = datetime.fromisoformat(shown["retires_at"]) - clock.now()
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)


async def test_the_old_key_ends_when_the_overlap_is_over(served: Served, owner: asyncpg.Connection) -> None:
    old = await make_key(served)
    body = {"overlap_seconds": 60}
    new = (await served.client.post(f"/auth/api-keys/{old['id']}/rotate", json=body)).json()["data"]
    assert (await me(served, old["key"])).status_code == 200
    await owner.execute("UPDATE gateway.api_keys SET retires_at = retires_at - interval '1 minute' WHERE id = $1", old["id"])
    await refused(served, old["key"])
    assert (await me(served, new["key"])).status_code == 200
    assert (await listed(served, old["id"]))["status"] == "expired"


async def test_without_an_overlap_the_old_key_ends_at_once(served: Served) -> None:
    old = await make_key(served)
    await served.client.post(f"/auth/api-keys/{old['id']}/rotate", json={"overlap_seconds": 0})
    assert (await me(served, old["key"])).status_code == 401


@pytest.mark.parametrize("overlap", [-1, 604_801, "60", 1.5, None])
async def test_an_overlap_is_from_nothing_to_a_week(served: Served, overlap: object) -> None:
    old = await make_key(served)
    answer = await served.client.post(f"/auth/api-keys/{old['id']}/rotate", json={"overlap_seconds": overlap})
    assert fields_of(answer) == ["overlap_seconds"]
    assert (await listed(served, old["id"]))["status"] == "active"


async def test_a_repeated_rotation_gives_the_same_key_and_no_secret_is_stored(served: Served, owner: asyncpg.Connection) -> None:
    old = await make_key(served)
    path, headers = f"/auth/api-keys/{old['id']}/rotate", {"Idempotency-Key": "turn"}
    first = await served.client.post(path, headers=headers)
    await me(served, first.json()["data"]["key"])
    second = await served.client.post(path, headers=headers)
    assert first.content == second.content
    await let_go(owner, "turn")
    secret = first.json()["data"]["key"].encode()
    assert await places(owner, *spellings(secret), *spellings(secret[len("ohk_live_") : -6])) == set()
    again = await served.client.post(path)
    assert (again.status_code, error_of(again)["code"]) == (409, "INVALID_STATE")
    assert error_of(again)["details"] == {"key_id": old["id"], "current_state": "retiring", "allowed_states": ["active"]}


async def test_of_rotations_at_once_one_wins(served: Served) -> None:
    old = await make_key(served)
    answers = await asyncio.gather(*(served.client.post(f"/auth/api-keys/{old['id']}/rotate") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    [won] = [answer.json()["data"] for answer in answers if answer.status_code == 201]
    assert (await listed(served, old["id"]))["replaced_by"] == won["id"]


async def test_what_has_ended_is_not_rotated(served: Served, owner: asyncpg.Connection) -> None:
    revoked, expired = await make_key(served), await make_key(served)
    await served.client.delete(f"/auth/api-keys/{revoked['id']}")
    await owner.execute("UPDATE gateway.api_keys SET expires_at = now() WHERE id = $1", expired["id"])
    for key, state in ((revoked, "revoked"), (expired, "expired")):
        answer = await served.client.post(f"/auth/api-keys/{key['id']}/rotate")
        assert (answer.status_code, error_of(answer)["details"]["current_state"]) == (409, state)
    assert (await served.client.post("/auth/api-keys/key_unknown/rotate")).status_code == 404


async def test_a_support_key_can_not_rotate_itself_more_scopes(served: Served) -> None:
    support = await make_key(served, scopes=["support"], marketplace="turns")
    strong = await make_key(served, scopes=["read", "write", "support"], marketplace="turns")
    headers = served.keyed(support["key"])
    answer = await served.client.post(f"/auth/api-keys/{strong['id']}/rotate", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert (await served.client.post(f"/auth/api-keys/{support['id']}/rotate", headers=headers)).status_code == 201


async def test_last_use_is_written_now_and_then_and_not_on_the_way(served: Served, owner: asyncpg.Connection) -> None:
    made = await make_key(served)
    uses = served.gateway._uses
    assert "last_used_at" not in await listed(served, made["id"])
    started = clock.now()
    await me(served, made["key"])
    assert await owner.fetchval("SELECT last_used_at FROM gateway.api_keys WHERE id = $1", made["id"]) is None
    await uses.write()
    used = await owner.fetchval("SELECT last_used_at FROM gateway.api_keys WHERE id = $1", made["id"])
    assert started <= used <= clock.now()
    served.gateway.authenticator.forget()
    await me(served, made["key"])
    await uses.write()
    assert await owner.fetchval("SELECT last_used_at FROM gateway.api_keys WHERE id = $1", made["id"]) == used
    assert (await listed(served, made["id"]))["last_used_at"] >= made["created_at"]


async def test_a_use_that_could_not_be_written_is_written_later(served: Served, owner: asyncpg.Connection) -> None:
    made = await make_key(served)
    await me(served, made["key"])
    await owner.execute("ALTER TABLE gateway.api_keys RENAME TO away")
    try:
        with pytest.raises(asyncpg.UndefinedTableError):
            await served.gateway._uses.write()
    finally:
        await owner.execute("ALTER TABLE gateway.away RENAME TO api_keys")
    await served.gateway._uses.write()
    assert "last_used_at" in await listed(served, made["id"])


async def test_what_goes_on_learns_which_of_its_keys_have_ended(
    served: Served, config: GatewaySettings, owner: asyncpg.Connection
) -> None:
    made = [await make_key(served) for _ in range(5)]
    [tenant] = {await owner.fetchval("SELECT tenant FROM gateway.api_keys WHERE id = $1", key["id"]) for key in made}
    good, revoked, over, retired, later = ((tenant, key["id"]) for key in made)
    gone, master = (Tenant("nobody:live"), made[0]["id"]), (Tenant("default:live"), MASTER_ID)
    async with serving(config) as other:
        ask = other.gateway.authenticator.ended
        assert await ask([good, revoked, over, retired, later, master]) == set()
        await other.gateway._uses.write()
        used = "SELECT count(*) FROM gateway.api_keys WHERE last_used_at IS NOT NULL AND id = ANY($1)"
        assert await owner.fetchval(used, [key["id"] for key in made]) == len(made)
        await served.client.delete(f"/auth/api-keys/{revoked[1]}")
        for change, (_, key_id) in (
            ("expires_at = now()", over),
            ("replaced_by = 'key_2', retires_at = now()", retired),
            ("expires_at = now() + interval '1 hour'", later),
        ):
            await owner.execute(f"UPDATE gateway.api_keys SET {change} WHERE id = $1", key_id)
        assert await ask([good, revoked, over, retired, later, gone, master]) == {revoked, over, retired, gone}
        assert await ask([]) == set()


async def test_a_revoked_key_is_refused_within_a_second_by_a_process_that_uses_it_all_the_time(
    served: Served, services: FakeServices, config: GatewaySettings
) -> None:
    made = await make_key(served)
    async with serving(config) as other:
        await other.gateway.link.wait_up(10)
        assert (await me(other, made["key"])).status_code == 200
        await served.client.delete(f"/auth/api-keys/{made['id']}")
        answered = asyncio.get_running_loop().time()
        statuses: list[tuple[float, int]] = []
        while asyncio.get_running_loop().time() < answered + 1.3:
            at = asyncio.get_running_loop().time()
            statuses.append((at - answered, (await me(other, made["key"])).status_code))
        assert [status for at, status in statuses if at >= 1] == [401] * len([at for at, _ in statuses if at >= 1])

"""What each check of the door is for, as a test on a world of shops: it passes, and fails when the check is switched off."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest

from libs.common.kernel.clock import SystemClock
from services.gateway.clients.attempts import FAILURES, Attempts
from services.gateway.domain.api_keys import mint
from tests.support.gateway import error_of
from tests.support.workers import until
from tests.support.world import World

Proof = Callable[[World, pytest.MonkeyPatch], Awaitable[None]]
USER: Final = {"external_user_id": "somebody"}


async def call(world: World, method: str, path: str, key: str = "", body: Any = None, **headers: str) -> httpx.Response:
    """One request with a key of the caller's choice, or with none."""
    client = world.served.client
    request = client.build_request(method, path, json=body, headers=headers)
    del request.headers["Authorization"]
    if key:
        request.headers["Authorization"] = f"Bearer {key}"
    return await client.send(request)


async def is_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert error_of(answer)["code"] == code


async def without_a_key_nothing_is_done(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "GET", "/orders"), 401, "UNAUTHORIZED")


async def an_unknown_key_is_nobodys(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "GET", "/orders", mint(secrets.token_bytes(8), "cmd_1", "live")), 401, "UNAUTHORIZED")


async def an_expired_key_is_refused(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "GET", "/orders", world.shop.keys["expired"]), 401, "UNAUTHORIZED")


async def a_replaced_key_is_refused_when_its_overlap_is_over(world: World, _: pytest.MonkeyPatch) -> None:
    old = await world.shop.key()
    body = {"overlap_seconds": 0}
    assert (await call(world, "POST", f"/auth/api-keys/{old['id']}/rotate", world.shop.keys["full"], body)).status_code == 201
    await is_refused(await call(world, "GET", "/orders", old["key"]), 401, "UNAUTHORIZED")


async def a_revoked_key_is_refused(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "GET", "/orders", world.shop.keys["revoked"]), 401, "UNAUTHORIZED")


async def a_key_that_another_process_revoked_is_refused_soon(world: World, _: pytest.MonkeyPatch) -> None:
    made = await world.shop.key()
    assert (await call(world, "GET", "/me", made["key"])).status_code == 200
    await world.owner.execute("UPDATE gateway.api_keys SET revoked_at = now() WHERE id = $1", made["id"])

    async def refused() -> bool:
        return (await call(world, "GET", "/me", made["key"])).status_code == 401

    await until(refused, seconds=2)


async def a_key_bound_to_an_address_is_refused_elsewhere(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "GET", "/orders", world.shop.keys["elsewhere"]), 403, "ADDRESS_NOT_ALLOWED")


async def a_stranger_can_not_say_it_is_a_proxy(world: World, _: pytest.MonkeyPatch) -> None:
    said = {"X-Forwarded-For": "192.0.2.1"}
    await is_refused(await call(world, "GET", "/orders", world.shop.keys["elsewhere"], **said), 403, "ADDRESS_NOT_ALLOWED")


async def a_reader_can_not_write(world: World, _: pytest.MonkeyPatch) -> None:
    await is_refused(await call(world, "POST", "/users", world.shop.keys["read"], USER), 403, "INSUFFICIENT_SCOPE")


async def a_writer_can_not_credit(world: World, _: pytest.MonkeyPatch) -> None:
    path, body = f"/users/{world.shop.sample['user']}/balance/credit", {"amount": "1.00", "currency": "USD"}
    await is_refused(await call(world, "POST", path, world.shop.keys["write"], body), 403, "INSUFFICIENT_SCOPE")


async def a_writer_can_not_suspend(world: World, _: pytest.MonkeyPatch) -> None:
    path = f"/users/{world.shop.sample['seller']}"
    answer = await call(world, "PATCH", path, world.shop.keys["write"], {"status": "ACTIVE"})
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def only_the_master_key_pauses(world: World, _: pytest.MonkeyPatch) -> None:
    answer = await call(world, "POST", "/admin/maintenance/disable", world.shop.keys["full"])
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def another_marketplaces_order_is_unknown(world: World, _: pytest.MonkeyPatch) -> None:
    path = f"/orders/{world.shop.sample['order']}"
    await is_refused(await call(world, "GET", path, world.rival.keys["full"]), 404, "ORDER_NOT_FOUND")


async def a_test_key_touches_no_live_row(world: World, _: pytest.MonkeyPatch) -> None:
    path, body = f"/users/{world.shop.sample['user']}/balance/credit", {"amount": "1.00", "currency": "USD"}
    await is_refused(await call(world, "POST", path, world.rehearsal.keys["full"], body), 404, "USER_NOT_FOUND")


async def a_live_key_touches_no_test_row(world: World, _: pytest.MonkeyPatch) -> None:
    path = f"/orders/{world.rehearsal.sample['order']}"
    await is_refused(await call(world, "GET", path, world.shop.keys["full"]), 404, "ORDER_NOT_FOUND")


async def a_support_key_names_no_other_marketplace(world: World, _: pytest.MonkeyPatch) -> None:
    answer = await call(world, "GET", "/auth/api-keys?marketplace=rival", world.shop.keys["full"])
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def a_test_key_makes_no_live_key(world: World, _: pytest.MonkeyPatch) -> None:
    body = {"name": "k", "scopes": ["read"], "mode": "live"}
    answer = await call(world, "POST", "/auth/api-keys", world.rehearsal.keys["full"], body)
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def another_marketplaces_key_is_unknown(world: World, _: pytest.MonkeyPatch) -> None:
    path = f"/auth/api-keys/{world.shop.sample['key']}"
    await is_refused(await call(world, "GET", path, world.rival.keys["full"]), 404, "API_KEY_NOT_FOUND")


async def another_marketplaces_key_is_not_revoked(world: World, _: pytest.MonkeyPatch) -> None:
    made = await world.shop.key()
    answer = await call(world, "DELETE", f"/auth/api-keys/{made['id']}", world.rival.keys["full"])
    await is_refused(answer, 404, "API_KEY_NOT_FOUND")


async def other_marketplaces_keys_are_not_listed(world: World, _: pytest.MonkeyPatch) -> None:
    answer = await call(world, "GET", "/auth/api-keys?limit=100", world.rival.keys["full"])
    assert answer.status_code == 200
    assert {key["marketplace"] for key in answer.json()["data"]} == {"rival"}


def nothing_of_others_is_listed(path: str) -> Proof:
    """A list shows rows of the caller's marketplace and mode only, new ones (on lists that begin with them) and old ones."""

    async def proof(world: World, _: pytest.MonkeyPatch) -> None:
        shop = replace(world.shop, mark=f"mark{secrets.token_hex(8)}")
        await shop.order("DISPUTED")
        await shop.webhook()
        marks = {shop.mark, world.shop.mark} if path == "/events" else {shop.mark}
        for other in (world.rival, world.rehearsal):
            answer = await call(world, "GET", f"{path}?limit=100", other.keys["full"])
            assert answer.status_code == 200
            assert [mark for mark in marks if mark in answer.text] == []

    return proof


async def nobody_makes_a_key_with_more_scopes(world: World, _: pytest.MonkeyPatch) -> None:
    answer = await call(world, "POST", "/auth/api-keys", world.shop.keys["support"], {"name": "k", "scopes": ["write"]})
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def nobody_rotates_itself_a_key_with_more_scopes(world: World, _: pytest.MonkeyPatch) -> None:
    made = await world.shop.key()
    answer = await call(world, "POST", f"/auth/api-keys/{made['id']}/rotate", world.shop.keys["support"])
    await is_refused(answer, 403, "INSUFFICIENT_SCOPE")


async def a_key_makes_none_that_outlives_it(world: World, _: pytest.MonkeyPatch) -> None:
    maker = await world.shop.key(expires_at="2100-01-01T00:00:00Z")
    body = {"name": "k", "scopes": ["read"], "expires_at": "2101-01-01T00:00:00Z"}
    await is_refused(await call(world, "POST", "/auth/api-keys", maker["key"], body), 400, "VALIDATION_ERROR")


async def a_key_makes_none_for_other_addresses(world: World, _: pytest.MonkeyPatch) -> None:
    maker = await world.shop.key(allowed_ips=["127.0.0.0/8"])
    body = {"name": "k", "scopes": ["read"], "allowed_ips": ["0.0.0.0/0"]}
    await is_refused(await call(world, "POST", "/auth/api-keys", maker["key"], body), 400, "VALIDATION_ERROR")


async def an_idempotency_key_is_its_owners(world: World, _: pytest.MonkeyPatch) -> None:
    headers, path = {"Idempotency-Key": secrets.token_hex(8)}, f"/orders/{await world.shop.order()}/reserve"
    first = await call(world, "POST", path, world.shop.keys["full"], **headers)
    assert first.status_code == 200
    await is_refused(await call(world, "POST", path, world.shop.keys["second"], **headers), 409, "INVALID_STATE")


async def an_idempotency_key_is_its_requests(world: World, _: pytest.MonkeyPatch) -> None:
    headers, key = {"Idempotency-Key": secrets.token_hex(8)}, world.shop.keys["full"]
    one, other = await world.shop.order(), await world.shop.order()
    assert (await call(world, "POST", f"/orders/{one}/reserve", key, **headers)).status_code == 200
    answer = await call(world, "POST", f"/orders/{other}/reserve", key, **headers)
    await is_refused(answer, 409, "IDEMPOTENCY_KEY_REUSED")


async def whoever_guesses_waits(world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(world.served.gateway.authenticator, "_attempts", Attempts(SystemClock()))
    for _ in range(FAILURES.amount):
        assert (await call(world, "GET", "/me", "nonsense")).status_code == 401
    await is_refused(await call(world, "GET", "/me", "nonsense"), 429, "RATE_LIMITED")
    await is_refused(await call(world, "GET", "/me", world.shop.keys["second"]), 429, "RATE_LIMITED")


async def whoever_was_there_before_does_not_wait(world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(world.served.gateway.authenticator, "_attempts", Attempts(SystemClock()))
    assert (await call(world, "GET", "/me", world.shop.keys["full"])).status_code == 200
    for _ in range(FAILURES.amount + 1):
        await call(world, "GET", "/me", "nonsense")
    assert (await call(world, "GET", "/me", world.shop.keys["full"])).status_code == 200


async def writes_wait_in_a_maintenance(world: World, _: pytest.MonkeyPatch) -> None:
    mode = world.served.gateway.maintenance
    await mode.enable(message=None, by="master")
    try:
        await is_refused(await call(world, "POST", "/users", world.shop.keys["full"], USER), 503, "SERVICE_UNAVAILABLE")
    finally:
        await mode.disable()


async def a_long_answer_ends_with_its_key(world: World, _: pytest.MonkeyPatch) -> None:
    good, *ended = ((world.shop.tenant, world.shop.key_ids[name]) for name in ("full", "expired", "revoked"))
    ended.append((world.shop.tenant, "key_unknown"))
    assert await world.served.gateway.authenticator.ended([good, *ended]) == set(ended)

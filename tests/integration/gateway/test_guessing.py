"""Whoever guesses keys is slowed down, counted, and no harm to anybody else."""

import secrets
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.gateway.clients.attempts import FAILURES
from services.gateway.domain.addresses import parse_network
from services.gateway.domain.api_keys import mint
from services.gateway.handlers.authenticate import DENIED
from services.gateway.settings import GatewaySettings
from tests.support.gateway import MASTER_KEY, Served, error_of, make_key, serving

pytestmark = pytest.mark.integration


@pytest.fixture
def guarded(config: GatewaySettings) -> GatewaySettings:
    """A gateway that counts; the proxy on this machine says who asks, so that a test can be many callers."""
    return config.model_copy(update={"rate_limits": "on", "trusted_proxies": (parse_network("127.0.0.1"),)})


@pytest.fixture
async def door(guarded: GatewaySettings) -> AsyncIterator[Served]:
    async with serving(guarded) as served:
        yield served


def guess() -> str:
    return mint(secrets.token_bytes(8), "cmd_1", "live")


async def knock(served: Served, key: str, address: str, path: str = "/me") -> httpx.Response:
    headers = {"X-Forwarded-For": address} | ({"Authorization": f"Bearer {key}"} if key else {})
    return await served.client.request("GET", path, headers=headers)


async def exhaust(served: Served, address: str) -> None:
    for _ in range(FAILURES.amount):
        answer = await knock(served, guess(), address)
        assert answer.status_code == 401


def denied(reason: str) -> float:
    return float(DENIED.labels(reason)._value.get())


def lookups(served: Served, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is asked of the database from now on."""
    asked: list[Any] = []
    find = served.gateway.authenticator._find
    run = find._run

    async def counting(items: Any) -> Any:
        asked.extend(items)
        return await run(items)

    monkeypatch.setattr(find, "_run", counting)
    return asked


async def test_after_thirty_failures_a_minute_an_address_waits_and_the_database_is_not_asked(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = denied("blocked")
    await exhaust(door, "192.0.2.1")
    over = await knock(door, guess(), "192.0.2.1")
    asked = lookups(door, monkeypatch)
    answers = [over] + [await knock(door, guess(), "192.0.2.1") for _ in range(10)]
    for answer in answers:
        error = error_of(answer)
        assert (answer.status_code, error["code"], error["retryable"]) == (429, "RATE_LIMITED", True)
        assert 1 <= int(answer.headers["retry-after"]) == error["details"]["retry_after"] <= 60
    assert asked == []
    assert denied("blocked") == blocked + 10
    assert (await knock(door, guess(), "192.0.2.2")).status_code == 401


async def test_a_right_guess_does_not_get_through_a_block(door: Served) -> None:
    made = await make_key(door)
    await exhaust(door, "192.0.2.3")
    await knock(door, guess(), "192.0.2.3")
    assert (await knock(door, made["key"], "192.0.2.4")).status_code == 200
    for key in (made["key"], MASTER_KEY):
        assert (await knock(door, key, "192.0.2.3")).status_code == 429


async def test_a_neighbours_guesses_lock_out_nobody_who_was_there_before(door: Served) -> None:
    made = await make_key(door)
    assert (await knock(door, made["key"], "192.0.2.5")).status_code == 200
    await exhaust(door, "192.0.2.5")
    for _ in range(3):
        assert (await knock(door, guess(), "192.0.2.5")).status_code == 429
        assert (await knock(door, made["key"], "192.0.2.5")).status_code == 200


async def test_a_block_holds_for_the_network_of_an_ipv6_subscriber(door: Served) -> None:
    for number in range(FAILURES.amount + 1):
        await knock(door, guess(), f"2001:db8::{number:x}")
    assert (await knock(door, guess(), "2001:db8::ffff")).status_code == 429
    assert (await knock(door, guess(), "2001:db8:0:1::1")).status_code == 401


async def test_guesses_at_a_public_route_count_too_and_are_told_nothing(door: Served) -> None:
    for _ in range(FAILURES.amount + 1):
        assert (await knock(door, guess(), "192.0.2.6", "/config")).status_code == 200
    assert (await knock(door, guess(), "192.0.2.6")).status_code == 429
    assert (await knock(door, guess(), "192.0.2.6", "/config")).status_code == 200


async def test_the_right_key_in_the_wrong_place_is_no_guess(door: Served) -> None:
    made = await make_key(door, allowed_ips=["198.51.100.1"])
    for _ in range(FAILURES.amount + 5):
        assert (await knock(door, made["key"], "192.0.2.7")).status_code == 403


async def test_every_reason_is_counted(door: Served) -> None:
    bound = await make_key(door, allowed_ips=["198.51.100.1"])
    revoked = await make_key(door)
    await door.client.delete(f"/auth/api-keys/{revoked['id']}")
    expired = await make_key(door)
    await door.gateway.pool.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", expired["id"])
    door.client.headers.pop("Authorization")
    shown = {
        "missing": "",
        "malformed": "nonsense",
        "unknown": guess(),
        "expired": expired["key"],
        "revoked": revoked["key"],
        "address": bound["key"],
    }
    before = {reason: denied(reason) for reason in shown}
    for key in shown.values():
        assert (await knock(door, key, "192.0.2.8")).status_code in (401, 403)
    assert {reason: denied(reason) - count for reason, count in before.items()} == dict.fromkeys(shown, 1)


async def test_gateways_that_share_a_redis_share_the_count_and_the_known_keys(guarded: GatewaySettings) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 6379)) != 0:
            pytest.skip("no Redis listens on its default port")
    own = {"redis_url": SecretStr("redis://127.0.0.1:6379/0"), "key_pepper": SecretStr(secrets.token_hex(16))}
    shared = guarded.model_copy(update=own)
    async with serving(shared) as one, serving(shared) as other:
        made = await make_key(one)
        assert (await knock(one, made["key"], "192.0.2.9")).status_code == 200
        await exhaust(one, "192.0.2.9")
        assert (await knock(other, guess(), "192.0.2.9")).status_code == 429
        assert (await knock(other, made["key"], "192.0.2.9")).status_code == 200
        fresh = await make_key(one)
        assert (await knock(other, fresh["key"], "192.0.2.9")).status_code == 429

"""The two counters count alike, and the one in Redis mends what it finds broken."""

import random
import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.gateway.clients.counters import LocalCounter, RedisCounter
from services.gateway.domain.limits import Hit, Rule

pytestmark = pytest.mark.integration
RULES = (Rule("three", 3), Rule("five", 5))


@pytest.fixture
def prefix() -> str:
    return f"test:{secrets.token_hex(6)}:"


@pytest.fixture
async def counter(redis_url: str, prefix: str) -> AsyncIterator[RedisCounter]:
    counter = RedisCounter(redis_url, prefix=prefix)
    yield counter
    await counter.close()


async def test_both_counters_tell_the_same(counter: RedisCounter) -> None:
    local, dice = LocalCounter(), random.Random(7)
    for _ in range(60):
        hits = [Hit(rule, dice.choice("ab")) for rule in RULES[: dice.randint(1, 2)]]
        cost = dice.choice((0, 1, 1))
        [here, there] = [await each.count(hits, cost=cost) for each in (local, counter)]
        assert [count for count, _ in here] == [count for count, _ in there]
        assert [left for _, left in there] == pytest.approx([left for _, left in here], abs=2)


async def test_a_window_without_an_end_is_given_one(counter: RedisCounter, redis_url: str, prefix: str) -> None:
    name = f"{prefix}limits:three:ana"
    async with Redis.from_url(redis_url) as redis:
        await redis.set(name, 7)
        [(count, left)] = await counter.count([Hit(RULES[0], "ana")], cost=1)
        assert count == 8
        assert left == pytest.approx(60, abs=1)
        assert 0 < await redis.pttl(name) <= 60_000


async def test_a_connection_that_redis_closed_is_made_anew_unseen(counter: RedisCounter, redis_url: str) -> None:
    await counter.count([Hit(RULES[0], "ana")], cost=1)
    async with Redis.from_url(redis_url) as redis:
        await counter._connection.send_command("CLIENT", "ID")
        own = await counter._connection.read_response()
        await redis.execute_command("CLIENT", "KILL", "ID", own)  # type: ignore[no-untyped-call] # has no annotations
    [(count, _)] = await counter.count([Hit(RULES[0], "ana")], cost=1)
    assert count == 2

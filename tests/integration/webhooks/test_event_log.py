"""The log is in sequence and without a gap, whoever writes it and however events arrive."""

import random
from collections import defaultdict

import asyncpg
import msgspec
import pytest

from libs.common.contracts.envelope import Envelope
from libs.common.contracts.queries.webhooks import ListEvents
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import LoggedEvent
from libs.common.kernel.ids import Tenant, derive_id
from libs.common.persistence.pool import role_url
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import as_dict, event, publish
from tests.support.webhooks import logged
from tests.support.workers import ROLE_SECRET, die_at, kill, running, until

pytestmark = pytest.mark.integration
AGGREGATES, LENGTH = 12, 25


def _shuffled(tenant: Tenant, seed: int) -> list[list[Envelope]]:
    """Every event twice, shuffled, in frames of random size."""
    dice = random.Random(seed)
    arrivals = [(name, number) for name in range(AGGREGATES) for number in range(1, LENGTH + 1)] * 2
    dice.shuffle(arrivals)
    envelopes = [event(tenant, f"order:{name}", number) for name, number in arrivals]
    frames = []
    while envelopes:
        size = dice.randint(1, 60)
        frames.append(envelopes[:size])
        envelopes = envelopes[size:]
    return frames


async def _assert_whole(owner: asyncpg.Connection, tenant: Tenant) -> None:
    rows = await logged(owner, tenant)
    assert [row["position"] for row in rows] == list(range(1, AGGREGATES * LENGTH + 1))
    sequences = defaultdict(list)
    for row in rows:
        sequences[row["aggregate"]].append(row["sequence"])
    assert sequences == {f"order:{name}": list(range(1, LENGTH + 1)) for name in range(AGGREGATES)}
    assert await owner.fetchval("SELECT count(*) FROM webhooks.event_gaps WHERE tenant = $1", tenant) == 0


@pytest.mark.parametrize("seed", range(2))
async def test_two_processes_make_one_log_of_shuffled_and_repeated_events(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, seed: int
) -> None:
    async with running(build(config), config), running(build(config), config):
        await publish(config, _shuffled(tenant, seed))

        async def is_complete() -> bool:
            return len(await logged(owner, tenant)) >= AGGREGATES * LENGTH

        await until(is_complete)
    await _assert_whole(owner, tenant)


@pytest.mark.parametrize("point", ["write.before_commit", "write.after_commit"])
async def test_the_log_is_whole_after_a_kill(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, point: str
) -> None:
    async with running(build(config), config) as worker:
        died = die_at(point, after=3)
        await publish(config, _shuffled(tenant, 7))
        await died.wait()
        await kill(worker)
    async with running(build(config), config):

        async def is_complete() -> bool:
            return len(await logged(owner, tenant)) >= AGGREGATES * LENGTH

        await until(is_complete)
    await _assert_whole(owner, tenant)


async def test_the_log_is_read_in_pages_in_its_public_form(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(config), config) as worker:
        await publish(config, [[event(tenant, "order:a", number) for number in (1, 2, 3)]])

        async def is_complete() -> bool:
            return len(await logged(owner, tenant)) == 3

        await until(is_complete)
        seen: list[LoggedEvent] = []
        after: str | None = "0"
        while after is not None:
            reply = await worker.rpc.query("webhooks", ListEvents(limit=2, after=int(after)), tenant=tenant)
            page = msgspec.json.decode(reply.result, type=Page[LoggedEvent])
            seen.extend(page.data)
            after = page.next_cursor
    assert [(item.position, item.sequence, item.id) for item in seen] == [
        (number, number, derive_id("evt", tenant, "order:a", number)) for number in (1, 2, 3)
    ]
    assert as_dict(bytes(seen[0].data)) == {"n": 1}


@pytest.mark.parametrize("statement", ["UPDATE webhooks.event_log SET tenant = tenant", "DELETE FROM webhooks.event_log"])
async def test_the_log_can_only_grow(config: WebhooksSettings, statement: str) -> None:
    url = role_url(config.database_url.get_secret_value(), service="webhooks", secret=ROLE_SECRET)
    connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()

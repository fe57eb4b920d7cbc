"""The log is kept for so many days, and with it what ended; what is not finished is delivered however old it is."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.commands.webhooks import ResendDelivery, StartReplay, UpdateEndpoint
from libs.common.contracts.envelope import Reply
from libs.common.contracts.queries.webhooks import FindPosition, ListDeliveries, ListEvents, ReadLog
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Delivery, LoggedEvent, LogPart, LogPlace
from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.worker import Worker
from libs.common.persistence.pool import open_pool, role_url
from services.webhooks.app import build
from services.webhooks.handlers.keep_days import DayKeeper
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import days
from tests.support.events import event, publish
from tests.support.receiver import Receiver, accept, saying
from tests.support.webhooks import logged, register, states
from tests.support.workers import ROLE_SECRET, running, until

pytestmark = pytest.mark.integration
KEPT = 30
_AGE = (
    "UPDATE webhooks.event_log SET logged_at = $3 WHERE tenant = $1 AND position <= $2",
    "UPDATE webhooks.deliveries SET logged_at = $3 WHERE tenant = $1 AND position <= $2",
)


@pytest.fixture
async def keeper(config: WebhooksSettings) -> AsyncIterator[DayKeeper]:
    url = role_url(config.database_url.get_secret_value(), service="webhooks", secret=ROLE_SECRET)
    pool = await open_pool(url, schema="webhooks", size=4, application="offerhub-test")
    yield DayKeeper(pool, SystemClock(), days.LOG, kept_days=KEPT)
    await pool.close()


async def happen(config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, numbers: range) -> None:
    """Have events of one order in the log."""
    await publish(config, [[event(tenant, "order:a", number) for number in numbers]])

    async def all_are() -> bool:
        return len(await logged(owner, tenant)) == numbers.stop - 1

    await until(all_are)


async def pass_by(owner: asyncpg.Connection, keeper: DayKeeper, tenant: Tenant, *, upto: int, days_ago: int) -> datetime:
    """Let the log up to a position be so old, in a day that was made when it was today; return when it was logged."""
    then = SystemClock().now() - timedelta(days=days_ago)
    for statement in _AGE:
        await owner.execute(statement, tenant, upto, then)
    await look(DayKeeper(keeper.pool, SystemClock(), days.LOG, kept_days=days_ago), makes=1)
    return then


async def look(keeper: DayKeeper, *, makes: int = 0, drops: int = 0) -> None:
    """Keep as a worker does, which tries again when another one keeps or somebody reads for long."""

    async def done() -> bool:
        try:
            made, dropped = await keeper.keep()
        except asyncpg.LockNotAvailableError:
            return False
        return made >= makes and dropped >= drops

    await until(done)


async def ask(worker: Worker, tenant: Tenant, query: Any) -> Reply:
    return await worker.rpc.query("webhooks", query, tenant=tenant)


async def command(worker: Worker, tenant: Tenant, message: Any) -> Reply:
    return await worker.rpc.command("webhooks", message, tenant=tenant, command_id=new_id("cmd"))


async def are(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, expected: list[str]) -> None:
    async def they_are() -> bool:
        return await states(owner, tenant, endpoint_id) == expected

    await until(they_are)


async def test_a_day_goes_with_all_that_ended_and_whoever_reads_on_is_told(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, keeper: DayKeeper
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await until(lambda: logged(owner, tenant, "webhook.created"))
        await happen(config, owner, tenant, range(1, 7))
        await are(owner, tenant, endpoint.id, ["DELIVERED"] * 6)
        [*_, gone] = [row["position"] for row in (await logged(owner, tenant))[:4]]
        await pass_by(owner, keeper, tenant, upto=gone, days_ago=KEPT + 1)
        assert len(await states(owner, tenant, endpoint.id)) == 6
        await look(keeper, drops=1)
        assert len(await states(owner, tenant, endpoint.id)) == 2
        assert [row["position"] for row in await logged(owner, tenant)] == [gone + 1, gone + 2]
        place = msgspec.json.decode((await ask(worker, tenant, FindPosition(None))).result, type=LogPlace)
        assert (place.oldest, place.head) == (gone + 1, gone + 2)
        since = FindPosition("2020-01-01T00:00:00Z")
        assert msgspec.json.decode((await ask(worker, tenant, since)).result, type=LogPlace).after == gone
        part = msgspec.json.decode((await ask(worker, tenant, ReadLog(1, 10))).result, type=LogPart)
        assert [found.position for found in part.events] == [gone + 1, gone + 2]
        refused = (await ask(worker, tenant, ListEvents(20, 1))).refusal
        assert refused is not None
        assert refused.details["fields"][0]["field"] == "after"
        assert str(gone + 1) in refused.message
        for after in (0, gone):
            page = msgspec.json.decode((await ask(worker, tenant, ListEvents(20, after))).result, type=Page[LoggedEvent])
            assert [found.position for found in page.data] == [gone + 1, gone + 2]
        replay = await command(worker, tenant, StartReplay(new_id("rpl"), endpoint.id, from_position=2))
        assert replay.refusal is not None
        assert replay.refusal.details["fields"][0]["field"] == "from_position"
        await happen_after(config, owner, tenant, endpoint.id)
    assert await keeper.keep() == (0, 0)


async def happen_after(config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str) -> None:
    """The log goes on, and a repeat of what was dropped is still known."""
    await publish(config, [[event(tenant, "order:a", 1), event(tenant, "order:a", 7)]])
    await are(owner, tenant, endpoint_id, ["DELIVERED"] * 3)


async def test_what_is_not_finished_is_delivered_however_old_it_is(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, keeper: DayKeeper
) -> None:
    async with running(build(config), config) as worker:
        endpoint, other = await register(worker, tenant, receiver.url), await register(worker, tenant, receiver.url)

        async def both_are_known() -> bool:
            return len(await logged(owner, tenant, "webhook.created")) == 2

        await until(both_are_known)
        await command(worker, tenant, UpdateEndpoint(endpoint.id, active=False))
        await until(lambda: logged(owner, tenant, "webhook.updated"))
        await happen(config, owner, tenant, range(1, 6))
        await are(owner, tenant, other.id, ["DELIVERED"] * 5)
        old = [row["position"] for row in (await logged(owner, tenant))[:4]]
        others = await keeper.owed()
        await pass_by(owner, keeper, tenant, upto=old[-1], days_ago=KEPT + 400)
        await look(keeper, drops=1)
        assert await states(owner, tenant, endpoint.id) == ["PENDING"] * 5
        assert await states(owner, tenant, other.id) == ["DELIVERED"]
        assert await keeper.owed() == others + 4
        listed = await ask(worker, tenant, ListDeliveries(endpoint.id, 20))
        assert len(msgspec.json.decode(listed.result, type=Page[Delivery]).data) == 5
        page = msgspec.json.decode((await ask(worker, tenant, ListEvents(20, 0))).result, type=Page[LoggedEvent])
        assert [found.position for found in page.data] == [old[-1] + 1]
        receiver.received.clear()
        await command(worker, tenant, UpdateEndpoint(endpoint.id, active=True))

        async def all_came() -> bool:
            return len(receiver.received) >= 5

        await until(all_came)
        await are(owner, tenant, endpoint.id, ["DELIVERED"] * 5)
    await keeper.keep()
    assert await keeper.owed() <= others
    assert await states(owner, tenant, endpoint.id) == ["DELIVERED"]


async def test_what_is_sent_again_is_kept_for_it(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, keeper: DayKeeper
) -> None:
    once = config.model_copy(update={"retry_seconds": (0.01, 600.0)})
    async with running(build(once), once) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await happen(config, owner, tenant, range(1, 3))
        await are(owner, tenant, endpoint.id, ["DELIVERED"] * 2)
        rows = await owner.fetch("SELECT id FROM webhooks.deliveries WHERE tenant = $1 ORDER BY position", tenant)
        [_, last] = [row["position"] for row in await logged(owner, tenant)]
        await pass_by(owner, keeper, tenant, upto=last, days_ago=KEPT + 3)
        receiver.answer = saying(500)
        await command(worker, tenant, ResendDelivery(endpoint.id, rows[0]["id"]))
        await are(owner, tenant, endpoint.id, ["PENDING", "DELIVERED"])
        await look(keeper, drops=1)
        assert await states(owner, tenant, endpoint.id) == ["PENDING"]
        late = "SELECT next_attempt_at > now() + interval '5 minutes' FROM webhooks.deliveries WHERE tenant = $1"
        await until(lambda: owner.fetchval(late, tenant))
        receiver.answer = accept
        await owner.execute("UPDATE webhooks.deliveries SET next_attempt_at = now() WHERE tenant = $1", tenant)
        await are(owner, tenant, endpoint.id, ["DELIVERED"])


async def test_a_step_that_makes_deliveries_puts_dropping_off(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, keeper: DayKeeper
) -> None:
    """Somebody reads the old day in a transaction, as a step of a replay does: nothing is half dropped, and later it goes."""
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await happen(config, owner, tenant, range(1, 3))
        await are(owner, tenant, endpoint.id, ["DELIVERED"] * 2)
    [_, last] = [row["position"] for row in await logged(owner, tenant)]
    await pass_by(owner, keeper, tenant, upto=last, days_ago=KEPT + 5)
    async with owner.transaction():
        await logged(owner, tenant)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await keeper.keep()
        assert len(await logged(owner, tenant)) == 2
    await look(keeper, drops=1)
    assert await logged(owner, tenant) == []


async def test_the_role_can_drop_nothing_of_today(keeper: DayKeeper) -> None:
    tomorrow = SystemClock().now().date() + timedelta(days=1)
    async with keeper.pool.acquire() as connection:
        with pytest.raises(asyncpg.RaiseError, match="today"):
            await days.drop_days(connection, days.LOG, before=tomorrow)
        for table in ("event_log_rest", "deliveries_ended_rest", "deliveries_pending"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table}")

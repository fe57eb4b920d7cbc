"""Attempts lie in days: made ahead, made late without losing any, dropped whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from alembic import command
from prometheus_client import REGISTRY
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.common.kernel.clock import SystemClock
from libs.common.kernel.ids import Tenant
from libs.common.persistence.migrate import alembic_config, sqlalchemy_url
from libs.common.persistence.pool import open_pool, role_url
from services.webhooks.app import build
from services.webhooks.handlers.keep_days import DAYS_AHEAD, DayKeeper
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import days
from tests.support.events import event, publish
from tests.support.receiver import Receiver
from tests.support.servers import fresh_database
from tests.support.webhooks import register, states
from tests.support.workers import ROLE_SECRET, running, until

pytestmark = pytest.mark.integration
BEFORE, DAYS = "0009", "0010"
_INSERT = """
INSERT INTO webhooks.attempts (tenant, delivery_id, number, started_at, duration_ms, response)
SELECT $1, 'whd_1', s.number, s.started_at, 1, '' FROM unnest($2::timestamptz[]) WITH ORDINALITY AS s(started_at, number)
"""
_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE NOT l.granted AND d.datname = current_database())
"""


def today() -> date:
    return SystemClock().now().date()


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def name_of(day: date) -> str:
    return f"attempts_p{day:%Y%m%d}"


async def lie_in(owner: asyncpg.Connection, tenant: str) -> list[str]:
    """Name the table of each attempt, in their order."""
    rows = await owner.fetch(
        "SELECT c.relname FROM webhooks.attempts a JOIN pg_class c ON c.oid = a.tableoid WHERE a.tenant = $1 ORDER BY a.number",
        tenant,
    )
    return [row["relname"] for row in rows]


@pytest.fixture
async def pool(config: WebhooksSettings) -> AsyncIterator[asyncpg.Pool]:
    """Connections of the service's own role."""
    url = role_url(config.database_url.get_secret_value(), service="webhooks", secret=ROLE_SECRET)
    opened = await open_pool(url, schema="webhooks", size=4, application="offerhub-test")
    yield opened
    await opened.close()


@pytest.fixture
async def keeper(pool: asyncpg.Pool, owner: asyncpg.Connection) -> DayKeeper:
    await owner.execute("DELETE FROM webhooks.attempts_rest")
    return DayKeeper(pool, SystemClock(), days.ATTEMPTS, kept_days=30)


async def test_what_is_delivered_lies_in_its_day(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    before = REGISTRY.get_sample_value("offerhub_webhook_keeping_total", {"outcome": "done"}) or 0
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", 1)]])

        async def it_came() -> bool:
            return await states(owner, tenant, endpoint.id) == ["DELIVERED"]

        await until(it_came)
        assert (REGISTRY.get_sample_value("offerhub_webhook_keeping_total", {"outcome": "done"}) or 0) > before
    assert await lie_in(owner, tenant) == [name_of(today())]


async def test_days_are_made_ahead_and_by_one_of_many_processes(owner: asyncpg.Connection, keeper: DayKeeper) -> None:
    ahead = [today() + timedelta(days=number) for number in range(DAYS_AHEAD + 1)]
    for day in ahead[1:4]:
        await owner.execute(f"DROP TABLE IF EXISTS webhooks.{name_of(day)}")
    made = await asyncio.gather(*(keeper.keep() for _ in range(4)))
    assert sum(count for count, _ in made) == 3
    assert [await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"webhooks.{name_of(day)}") for day in ahead] == [
        True
    ] * len(ahead)


async def test_attempts_of_days_that_nobody_made_are_moved_into_them(
    owner: asyncpg.Connection, tenant: Tenant, keeper: DayKeeper, pool: asyncpg.Pool
) -> None:
    far = [today() + timedelta(days=number) for number in (100, 101, 103)]
    instants = [midnight(day) + offset for day in far for offset in (timedelta(0), timedelta(days=1, microseconds=-1))]
    await owner.execute(_INSERT, tenant, instants)
    assert await lie_in(owner, tenant) == ["attempts_rest"] * 6
    made, _ = await keeper.keep()
    assert made == 3
    assert await lie_in(owner, tenant) == [name_of(day) for day in far for _ in range(2)]
    assert await owner.fetchval("SELECT count(*) FROM webhooks.attempts_rest") == 0
    for day in far:
        await owner.execute(f"DROP TABLE webhooks.{name_of(day)}")


async def test_whole_days_are_dropped_once_they_are_no_longer_kept(
    owner: asyncpg.Connection, tenant: Tenant, keeper: DayKeeper
) -> None:
    first = midnight(today() - timedelta(days=30))
    moment = timedelta(microseconds=1)
    await owner.execute(_INSERT, tenant, [first - timedelta(days=9), first - moment, first, first + moment, midnight(today())])
    assert await keeper.keep() == (3, 2)
    assert await lie_in(owner, tenant) == [name_of(first.date())] * 2 + [name_of(today())]
    assert await keeper.keep() == (0, 0)


async def test_the_role_can_drop_nothing_of_today_and_no_table_itself(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.RaiseError, match="today"):
            await days.drop_days(connection, days.ATTEMPTS, before=today() + timedelta(days=1))
        for statement in (f"DROP TABLE {name_of(today())}", f"SELECT FROM {name_of(today())}", "DELETE FROM attempts_rest"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_a_long_reader_puts_it_off_and_harms_nothing(owner: asyncpg.Connection, tenant: Tenant, keeper: DayKeeper) -> None:
    old = midnight(today() - timedelta(days=31))
    await owner.execute(_INSERT, tenant, [old])
    async with owner.transaction():
        assert await lie_in(owner, tenant) == ["attempts_rest"]
        with pytest.raises(asyncpg.LockNotAvailableError):
            await keeper.keep()
    assert await keeper.keep() == (1, 1)


async def _nothing() -> str:
    return ""


def test_the_migration_moves_what_was_there_and_what_is_written_meanwhile(postgres_server_url: str) -> None:
    with fresh_database(postgres_server_url) as url:
        asyncio.run(_migrate_with_attempts(url))


async def _migrate_with_attempts(url: str) -> None:
    engine, owner = create_async_engine(sqlalchemy_url(url)), await asyncpg.connect(url)
    await _upgrade(engine, BEFORE)
    past = [today() - timedelta(days=number) for number in (400, 1, 0)]
    await owner.execute(_INSERT, "t:live", [midnight(day) for day in past])
    before = await owner.fetch("SELECT * FROM webhooks.attempts ORDER BY number")
    late = await _upgrade(engine, DAYS, meanwhile=lambda: owner.execute(_INSERT, "u:live", [midnight(today())]))
    await late
    assert await owner.fetch("SELECT * FROM webhooks.attempts WHERE tenant = 't:live' ORDER BY number") == before
    assert await lie_in(owner, "t:live") == [name_of(day) for day in past]
    assert await lie_in(owner, "u:live") == [name_of(today())]
    await owner.close()
    await engine.dispose()


async def _upgrade(
    engine: AsyncEngine, revision: str, *, meanwhile: Callable[[], Awaitable[str]] = _nothing
) -> asyncio.Future[str]:
    """Migrate, and begin something else just before the commit: what a process of the version before may be at."""

    def upgrade(connection: Connection) -> None:
        command.upgrade(alembic_config("webhooks", connection), revision)

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        begun = asyncio.ensure_future(meanwhile())
        if meanwhile is not _nothing:
            await until(lambda: connection.scalar(text(_WAITS)))
    return begun

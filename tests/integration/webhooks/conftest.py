"""A webhooks service on a migrated database and a real broker, and a receiver for what it delivers."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant, new_id
from services.webhooks.settings import WebhooksSettings
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import webhooks_settings


@pytest.fixture
def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> WebhooksSettings:
    return webhooks_settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def owner(config: WebhooksSettings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(config.database_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
async def schema(config: WebhooksSettings) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection into the service's schema, with an empty due table."""
    url = config.database_url.get_secret_value()
    connection = await asyncpg.connect(url, server_settings={"search_path": "webhooks"})
    await connection.execute("DELETE FROM deliveries")
    yield connection
    await connection.close()


@pytest.fixture
def tenant() -> Tenant:
    """A tenant of the test's own, since tests of a run share a database."""
    return Tenant(f"{new_id('req')}:live")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running

"""A payouts service on a migrated database and a real broker."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant, new_id
from libs.common.persistence.migrate import migrate
from services.payouts.settings import PayoutsSettings
from tests.support.payouts import PAYOUTS
from tests.support.workers import QUEUE_EXPIRES_MS, ROLE_SECRET


@pytest.fixture
async def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> PayoutsSettings:
    await migrate(postgres_url, role_secret=ROLE_SECRET)
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": amqp_url,
        "bus_prefix": bus_prefix,
        "queue_expires_ms": QUEUE_EXPIRES_MS,
        **PAYOUTS,
    }
    return PayoutsSettings(**values)


@pytest.fixture
async def owner(config: PayoutsSettings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(config.database_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
def tenant() -> Tenant:
    """A tenant of the test's own, since tests of a run share a database."""
    return Tenant(f"{new_id('req')}:live")

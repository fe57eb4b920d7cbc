"""Lists need a migrated database of their own, full of rows that no service has written; each service reads it with its role."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant, new_id
from libs.common.persistence.pool import open_pool, role_url
from tests.support.workers import ROLE_SECRET, migrated_database

OpenPool = Callable[[str], contextlib.AbstractAsyncContextManager[asyncpg.Pool]]


@pytest.fixture(scope="session")
def migrated_url(postgres_server_url: str) -> Iterator[str]:
    with migrated_database(postgres_server_url) as url:
        yield url


@pytest.fixture
async def owner(migrated_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(migrated_url)
    yield connection
    await connection.close()


@pytest.fixture
def pool_of(migrated_url: str) -> OpenPool:
    """Open a service's pool as the service does: its role, its schema, its planner settings."""

    @contextlib.asynccontextmanager
    async def opened(service: str) -> AsyncIterator[asyncpg.Pool]:
        url = role_url(migrated_url, service=service, secret=ROLE_SECRET)
        async with await open_pool(url, schema=service, size=2, application="test") as pool:
            yield pool

    return opened


@pytest.fixture
def tenant() -> Tenant:
    """A tenant of the test's own, since tests of a run share a database."""
    return Tenant(f"{new_id('req')}:live")

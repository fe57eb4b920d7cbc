"""A migrated database for each broker, and workers on both."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant, new_id
from libs.common.settings import ServiceSettings
from tests.support.servers import Borrowed, embedded_broker_server, fresh_prefix
from tests.support.workers import migrated_database, settings


@pytest.fixture(scope="session", params=["found", "embedded"])
def amqp_url(request: pytest.FixtureRequest, borrowed: Borrowed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The broker this machine has, and then the embedded one: the same promises hold on both."""
    if request.param == "found":
        with borrowed.broker() as url:
            yield url
    else:
        with embedded_broker_server(tmp_path_factory.mktemp("broker")) as url:
            yield url


@pytest.fixture(scope="session")
def bus_prefix(amqp_url: str) -> Iterator[str]:
    """What this run's names on that broker begin with."""
    with fresh_prefix(amqp_url) as prefix:
        yield prefix


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str, bus_prefix: str) -> Iterator[str]:
    """A database for these names alone: what killed processes leave to be published is for them."""
    with migrated_database(postgres_server_url) as url:
        yield url


@pytest.fixture
def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> ServiceSettings:
    return settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def owner(config: ServiceSettings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(config.database_url.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def tenant() -> Tenant:
    """A tenant of the test's own, since tests of a run share a database."""
    return Tenant(f"{new_id('req')}:live")

"""A world of shops for the length of a module, on a database and with names of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from libs.common.persistence.migrate import migrate
from tests.support.servers import fresh_database, fresh_prefix
from tests.support.workers import ROLE_SECRET
from tests.support.world import World, open_world


@pytest.fixture(scope="module")
def own_database(postgres_server_url: str) -> Iterator[str]:
    with fresh_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="module")
def own_prefix(amqp_url: str) -> Iterator[str]:
    with fresh_prefix(amqp_url) as prefix:
        yield prefix


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(own_database: str, amqp_url: str, own_prefix: str) -> AsyncIterator[World]:
    await migrate(own_database, role_secret=ROLE_SECRET)
    async with open_world(own_database, amqp_url, own_prefix) as opened:
        yield opened

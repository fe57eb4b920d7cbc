"""A ledger in this process on real servers, and who asks it."""

from collections.abc import AsyncIterator

import pytest

from libs.common.settings import ServiceSettings
from tests.support.market import Market
from tests.support.workers import settings


@pytest.fixture
def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> ServiceSettings:
    return settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def market(config: ServiceSettings) -> AsyncIterator[Market]:
    """A market without its services: a test starts those it needs."""
    async with Market.on(config) as made:
        yield made

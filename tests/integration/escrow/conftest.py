"""A market: the real ledger and escrow in this process on real servers, and a gateway's client that outlives them."""

from collections.abc import AsyncIterator

import pytest

from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.persistence.migrate import migrate
from libs.common.settings import ServiceSettings
from tests.support.market import Market
from tests.support.workers import ROLE_SECRET, settings


@pytest.fixture
async def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> ServiceSettings:
    await migrate(postgres_url, role_secret=ROLE_SECRET)
    return settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def market(config: ServiceSettings) -> AsyncIterator[Market]:
    """A market without its services: a test starts those it needs."""
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    link = Link(config.amqp_url.get_secret_value(), topology, name="test")
    client = RpcClient(link, Publisher(link), instance="test")
    await link.start()
    await link.wait_up(10)
    try:
        async with Market.on(config, client, Tenant(f"{new_id('req')}:live")) as made:
            yield made
    finally:
        await link.stop()

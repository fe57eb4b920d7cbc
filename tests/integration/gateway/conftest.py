"""A gateway on a migrated database and a real broker, with fake services behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
import uvloop

from libs.common.contracts.replies.common import Done, Page
from libs.common.contracts.replies.ledger import Balance, BalanceAfter, CurrencyBalance, JournalPosted, UserOpened
from libs.common.kernel.money import format_amount
from services.gateway.settings import GatewaySettings
from tests.support.gateway import NOW, FakeServices, Served, fake_services, gateway_settings, order, serving, user


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """These tests run on the loop that gateways run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def config(postgres_url: str, amqp_url: str, bus_prefix: str) -> GatewaySettings:
    return gateway_settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def owner(config: GatewaySettings) -> AsyncIterator[asyncpg.Connection]:
    """The database as its owner sees it: every schema."""
    connection = await asyncpg.connect(config.database_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
async def no_records(owner: asyncpg.Connection) -> None:
    """Begin with nothing on record, and a chain of no batch."""
    await owner.execute("TRUNCATE gateway.requests, gateway.request_batches")
    await owner.execute("UPDATE gateway.request_head SET position = 0, hash = decode(repeat('00', 32), 'hex')")


@pytest.fixture
async def served(config: GatewaySettings) -> AsyncIterator[Served]:
    async with serving(config) as running:
        await running.gateway.link.wait_up(10)
        yield running


@pytest.fixture
async def services(served: Served, amqp_url: str, bus_prefix: str) -> AsyncIterator[FakeServices]:
    async with fake_services(amqp_url, bus_prefix) as fake:
        fake.answers = {
            "OpenUser": lambda it: UserOpened(user(it.user_id, it.external_user_id), created=True),
            "CreateOrder": lambda it: order(id=it.order_id, amount=format_amount(it.amount), currency=it.quoted_currency),
            "ReserveOrder": lambda it: order(id=it.order_id, status="FUNDS_RESERVED"),
            "GetOrder": lambda it: order(id=it.order_id),
            "ListOrders": lambda _: Page((order(),), has_more=True, next_cursor="ord_1"),
            "PostJournal": lambda _: JournalPosted("jrn_1", NOW, (BalanceAfter("usr_1", "10.00", "0.00"),)),
            "GetBalance": lambda it: Balance(it.user_id, (CurrencyBalance("USD", "12.50", "0.00", "0.00", "0.00"),)),
            "DeleteEndpoint": lambda it: Done(it.endpoint_id),
        }
        yield fake

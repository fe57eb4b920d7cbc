import secrets
import socket
from collections.abc import AsyncIterator, Callable

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection
from yarl import URL

from deploy.local.amqp.broker import EmbeddedBroker
from tests.integration.amqp.steps import Proxy

RABBITMQ_URL = "amqp://guest:guest@127.0.0.1:5672/"


def _is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((URL(url).host, URL(url).port)) == 0


@pytest.fixture(params=["rabbitmq", "embedded"])
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    if request.param == "embedded":
        async with EmbeddedBroker() as broker:
            yield broker.url
    elif _is_open(RABBITMQ_URL):
        yield RABBITMQ_URL
    else:
        pytest.skip("no RabbitMQ listens on its default port")


@pytest.fixture
async def connection(url: str, name: Callable[[], str]) -> AsyncIterator[AbstractConnection]:
    # `name` comes first so that its clean-up comes last, when exclusive queues have gone with this connection.
    async with await aio_pika.connect(url) as opened:
        yield opened


@pytest.fixture
async def channel(connection: AbstractConnection) -> AbstractChannel:
    return await connection.channel(on_return_raises=True)


@pytest.fixture
async def name(url: str) -> AsyncIterator[Callable[[], str]]:
    """Makes names nobody else uses; what was declared under them is deleted afterwards."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test.amqp.{secrets.token_hex(8)}")
        return made[-1]

    yield make
    async with await aio_pika.connect(url) as cleaner:
        channel = await cleaner.channel()
        for one in made:
            await channel.queue_delete(one)
            await channel.exchange_delete(one)


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with Proxy(URL(url).host or "", URL(url).port or 0).running() as running:
        yield running

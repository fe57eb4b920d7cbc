"""A payouts service on a migrated database and a real broker."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from libs.common.kernel.ids import Tenant, new_id
from libs.common.settings import ServiceSettings
from services.payouts.settings import PayoutsSettings, SignerSettings
from tests.support.payouts import PAYOUTS, a_signer
from tests.support.servers import fresh_database, fresh_prefix
from tests.support.workers import QUEUE_EXPIRES_MS, ROLE_SECRET, migrated_database, settings


@pytest.fixture(scope="module")
def bus_prefix(amqp_url: str) -> Iterator[str]:
    """Names on the bus of the module's own: nobody else's users get wallets here."""
    with fresh_prefix(amqp_url) as prefix:
        yield prefix


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """A migrated database of the module's own."""
    with migrated_database(postgres_server_url) as url:
        yield url


@pytest.fixture
def apart(postgres_url: str, amqp_url: str, bus_prefix: str) -> ServiceSettings:
    """What every process of the module is told."""
    return settings(postgres_url, amqp_url, bus_prefix)


@pytest.fixture
async def signer(postgres_url: str) -> AsyncIterator[SignerSettings]:
    """A signer that answers, on a migrated database."""
    async with a_signer(postgres_url) as (told, _):
        yield told


@pytest.fixture
async def config(signer: SignerSettings, postgres_url: str, amqp_url: str, bus_prefix: str) -> PayoutsSettings:
    values: dict[str, Any] = {
        "database_url": postgres_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": amqp_url,
        "bus_prefix": bus_prefix,
        "queue_expires_ms": QUEUE_EXPIRES_MS,
        **PAYOUTS,
        "signer_socket": signer.signer_socket,
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


@pytest.fixture
def own_database(postgres_server_url: str) -> Iterator[str]:
    """A database of the test's own, with its roles."""
    with fresh_database(postgres_server_url) as url:
        yield url

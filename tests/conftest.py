"""Fixtures that every test may ask for: real servers, with a database and names of the run's own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.support.servers import Borrowed, RedisServer, fresh_prefix
from tests.support.workers import migrated_database

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("OFFERHUB_HYPOTHESIS", "dev"))
_ALONE = ("test_broker_outage.py", "test_rolling_restart.py")
"""Stories that are told on a stack of their own."""
_BY_MODULE = ("tests/integration/access/", "tests/integration/payouts/")
"""Where a module has a platform or a database of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests after the folder they are in."""
    for item in items:
        for marker in ("integration", "e2e", "chaos"):
            if marker in item.path.parts:
                item.add_marker(marker)


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests that share a platform to one process, which begins with them; the others to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith(_BY_MODULE):
            return path
        if path.startswith("tests/integration/common/"):
            return f"common {'[embedded' in nodeid}"
        return "stack" if path.startswith("tests/e2e/") and not path.endswith(_ALONE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Together:
    """Start as few platforms as can be."""
    return _Together(config, log)


@pytest.fixture(scope="session")
def borrowed(tmp_path_factory: pytest.TempPathFactory) -> Borrowed:
    """Servers that start when they are first asked for."""
    return Borrowed(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="session")
def postgres_server_url(borrowed: Borrowed) -> Iterator[str]:
    """A superuser's URL of a Postgres that others may use too."""
    with borrowed.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """The owner's URL of a migrated database of this worker's own."""
    with migrated_database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def amqp_url(borrowed: Borrowed) -> Iterator[str]:
    """A broker that others may use too: name everything with `bus_prefix`."""
    with borrowed.broker() as url:
        yield url


@pytest.fixture(scope="session")
def bus_prefix(amqp_url: str) -> Iterator[str]:
    """What this worker's names on the bus begin with."""
    with fresh_prefix(amqp_url) as prefix:
        yield prefix


@pytest.fixture(scope="session")
def redis_url(borrowed: Borrowed) -> Iterator[str]:
    """A Redis that others may use too: what a gateway keeps there begins with its `bus_prefix`."""
    with borrowed.redis() as url:
        if not url:
            pytest.skip("no Redis: set OFFERHUB_TEST_REDIS_URL, run one on 127.0.0.1:6379, or install redis-server")
        yield url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, to be killed and started again."""
    if not RedisServer.is_installed():
        pytest.skip("redis-server is not installed: a test that kills its Redis needs one of its own")
    with RedisServer(tmp_path) as server:
        yield server

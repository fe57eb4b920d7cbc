"""One stack for the run, started as a person would start it, and clients that speak HTTP to it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.e2e.market import Market
from tests.support.api_document import COMPARED

_START_SECONDS = 120


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of the run's stack: its secrets, its logs."""
    if "OFFERHUB_TEST_RUN_ENV" in os.environ:
        return Path(os.environ["OFFERHUB_TEST_RUN_ENV"]).parent
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def stack(state: Path) -> Iterator[dict[str, str]]:
    """The run.env of a stack of our own, on an ephemeral port, without rate limits, on a quick chain.

    Or of the one OFFERHUB_TEST_RUN_ENV names.
    """
    if "OFFERHUB_TEST_RUN_ENV" in os.environ:
        yield read_run_env(state / "run.env")
        return
    quick = {"PORT": "0", "OFFERHUB_RATE_LIMITS": "off", "OFFERHUB_LEDGER_MS": "250"}
    environment = os.environ | quick | {"OFFERHUB_STATE_DIR": str(state)}
    launch = [sys.executable, "-m", "deploy.local"]
    started = subprocess.run(
        [*launch, "start"], env=environment, capture_output=True, text=True, timeout=_START_SECONDS, check=False
    )
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield read_run_env(state / "run.env")
    finally:
        subprocess.run([*launch, "clean"], env=environment, capture_output=True, timeout=60, check=False)


def read_run_env(path: Path) -> dict[str, str]:
    """Read the addresses and keys that the launcher wrote."""
    lines = (line.removeprefix("export ") for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: value.strip("'\"") for name, _, value in pairs}


@pytest.fixture
async def market(stack: dict[str, str]) -> AsyncIterator[Market]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=stack["OFFERHUB_API_URL"], timeout=30.0, limits=limits, event_hooks=COMPARED) as client:
        yield Market(client, api_key=stack["OFFERHUB_API_KEY"], support_key=stack["OFFERHUB_SUPPORT_KEY"])


@pytest.fixture
async def database(stack: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """The database as its owner sees it: what an oracle reads."""
    connection = await asyncpg.connect(stack["DATABASE_URL"])
    yield connection
    await connection.close()

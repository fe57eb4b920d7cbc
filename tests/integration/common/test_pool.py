"""A service that starts beside its Postgres waits for it, and for nothing else."""

import asyncio
import contextlib
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from deploy.local.embedded_postgres import free_port
from libs.common.persistence.pool import open_pool
from tests.support.workers import until

pytestmark = pytest.mark.integration


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


async def test_a_server_that_comes_later_is_waited_for(postgres_url: str) -> None:
    parts, port = urlsplit(postgres_url), free_port()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(parts.hostname, parts.port or 5432)
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))

    with capture_logs() as logs:
        opening = asyncio.create_task(
            open_pool(_at(postgres_url, port), schema="public", size=1, application="test", patience_seconds=20)
        )

        async def has_been_refused() -> bool:
            return any(entry["event"] == "database.unreachable" for entry in logs)

        await until(has_been_refused)
    async with await asyncio.start_server(forward, "127.0.0.1", port), await opening as pool:
        assert await pool.fetchval("SELECT 1") == 1


async def test_patience_has_an_end(postgres_url: str) -> None:
    with pytest.raises(OSError, match=r"refused|Connect"):
        await open_pool(_at(postgres_url, free_port()), schema="public", size=1, application="test", patience_seconds=0.3)


async def test_who_is_not_let_in_is_told_so_at_once(postgres_url: str) -> None:
    nowhere = urlunsplit(urlsplit(postgres_url)._replace(path="/there_is_no_such_database"))
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await open_pool(nowhere, schema="public", size=1, application="test", patience_seconds=60)

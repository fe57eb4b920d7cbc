"""A database as it was a while ago, put back in the place of the one that went on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import asyncpg

_SECONDS: Final = 30.0
_END_SESSIONS: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


async def back_up(server_url: str, url: str) -> None:
    """Copy the database of `url` as it is now; whoever uses it loses the connection."""
    name = _name(url)
    async with _server(server_url) as server:
        await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            await _once_alone(server, name, f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
        finally:
            await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


async def restore(server_url: str, url: str) -> None:
    """Have the copy instead; it is used up."""
    name = _name(url)
    async with _server(server_url) as server:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await _once_alone(server, f"{name}_copy", f'ALTER DATABASE "{name}_copy" RENAME TO "{name}"')


async def _once_alone(server: asyncpg.Connection, name: str, statement: str) -> None:
    """Do what Postgres does only while nobody is connected."""
    async with asyncio.timeout(_SECONDS):
        while True:
            await server.execute(_END_SESSIONS, name)
            with contextlib.suppress(asyncpg.ObjectInUseError):
                await server.execute(statement)
                return


@contextlib.asynccontextmanager
async def _server(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")

"""Makes and drops databases with their roles."""

import contextlib
from typing import Final

import asyncpg

from deploy.local.errors import LocalError
from deploy.local.servers import database_named_in, without_password
from deploy.local.settings import SERVICES, SIGNER

_CONNECT_SECONDS: Final = 5.0
_TROUBLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def create_database(server_url: str, database: str) -> bool:
    """Create a database if it is missing; return whether it was.

    Raises:
        LocalError: the server refuses.
    """
    try:
        connection = await asyncpg.connect(server_url, timeout=_CONNECT_SECONDS)
        try:
            await connection.execute(f"CREATE DATABASE \"{database}\" TEMPLATE template0 ENCODING 'UTF8'")
        finally:
            await connection.close()
    except asyncpg.DuplicateDatabaseError:
        return False
    except _TROUBLE as error:
        raise LocalError(f"no database can be made at {without_password(server_url)}: {error}") from None
    return True


async def require_database(url: str) -> None:
    """Make sure that the database the environment names can be used.

    Raises:
        LocalError: it can't; the message has the reason, not the password.
    """
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
        await connection.close()
    except _TROUBLE as error:
        raise LocalError(f"the database at {without_password(url)} (DATABASE_URL) can't be used: {error}") from None


async def drop_database(server_url: str, database: str) -> None:
    """Drop a database, whoever is connected to it, and the roles of its services."""
    connection = await asyncpg.connect(server_url, timeout=_CONNECT_SECONDS)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await _drop_roles(connection, database)
    finally:
        await connection.close()


async def empty_database(url: str) -> None:
    """Drop the services' schemas and roles from a database that is not ours to drop."""
    connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    try:
        for service in SERVICES:
            await connection.execute(f'DROP SCHEMA IF EXISTS "{service}" CASCADE')
        await _drop_roles(connection, database_named_in(url))
    finally:
        await connection.close()


async def _drop_roles(connection: "asyncpg.Connection[asyncpg.Record]", database: str) -> None:
    for service in (*SERVICES, SIGNER):
        role = f"{database}_{service}"
        with contextlib.suppress(asyncpg.UndefinedObjectError):
            await connection.execute(f'DROP OWNED BY "{role}"')
        await connection.execute(f'DROP ROLE IF EXISTS "{role}"')

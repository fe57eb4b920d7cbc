"""Each service's schema is what its tables say, its rows fit it, and its role can do no more than it must."""

import importlib
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.persistence.alembic_env import is_described
from libs.common.persistence.migrate import migrate, services, sqlalchemy_url
from libs.common.persistence.pool import role_url
from libs.common.persistence.rows import Table
from libs.common.settings import ServiceSettings
from tests.support.workers import ROLE_SECRET

pytestmark = pytest.mark.integration


def _differences(connection: Connection, metadata: MetaData) -> list[Any]:
    options = {
        "include_schemas": True,
        "version_table_schema": metadata.schema,
        "include_name": lambda name, kind, _: is_described(name, kind, metadata.schema),
    }
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return found


@pytest.mark.parametrize("service", services())
async def test_migrations_give_what_the_tables_describe(config: ServiceSettings, service: str) -> None:
    metadata = importlib.import_module(f"services.{service}.store.tables").metadata
    engine = create_async_engine(sqlalchemy_url(config.database_url.get_secret_value()))
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences, metadata) == []
    await engine.dispose()


def _row_tables(module: ModuleType) -> list[Table[Any]]:
    return [thing for thing in vars(module).values() if isinstance(thing, Table)]


@pytest.mark.parametrize("service", [name for name in services() if name != "gateway"])
async def test_rows_name_columns_that_exist_with_their_types(
    config: ServiceSettings, owner: asyncpg.Connection, service: str
) -> None:
    for table in _row_tables(importlib.import_module(f"services.{service}.store.rows")):
        records = await owner.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
            f"{service}.{table.name}",
        )
        kinds = {name: kind.replace("timestamp with time zone", "timestamptz") for name, kind in records}
        assert table.columns.items() <= kinds.items(), table.name


async def test_migrating_again_changes_nothing(config: ServiceSettings, owner: asyncpg.Connection) -> None:
    before = await owner.fetch("SELECT oid, relname FROM pg_class ORDER BY oid")
    await migrate(config.database_url.get_secret_value(), role_secret=ROLE_SECRET)
    assert await owner.fetch("SELECT oid, relname FROM pg_class ORDER BY oid") == before


async def _as(config: ServiceSettings, service: str) -> asyncpg.Connection:
    return await asyncpg.connect(role_url(config.database_url.get_secret_value(), service=service, secret=ROLE_SECRET))


@pytest.mark.parametrize("service", services())
async def test_a_service_can_not_read_anothers_schema(config: ServiceSettings, service: str) -> None:
    connection = await _as(config, service)
    for other in services():
        if other != service:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {other}.alembic_version")
    await connection.close()


@pytest.mark.parametrize("statement", ["UPDATE ledger.{} SET tenant = tenant", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}"])
@pytest.mark.parametrize("table", ["journals", "entries", "refusals"])
async def test_the_books_can_only_grow(config: ServiceSettings, statement: str, table: str) -> None:
    connection = await _as(config, "ledger")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement.format(table))
    await connection.close()


async def test_the_database_itself_refuses_to_let_a_user_owe(config: ServiceSettings) -> None:
    connection = await _as(config, "ledger")
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(
            "INSERT INTO ledger.accounts VALUES ('t', 'user:u:available:USD', 'available', 'USD', 'u', true, -1, 1, 0, true)"
        )
    await connection.close()

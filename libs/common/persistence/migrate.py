"""Bring every service's schema up and make the services' roles: `python -m libs.common.persistence.migrate`.

Safe to run again, and by several at once: an advisory lock lets one work while the others wait.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.persistence.pool import role_name, role_password
from libs.common.persistence.tables import APPEND_ONLY, ONLY

ROOT: Final = Path(__file__).resolve().parents[3]
_LOCK: Final = 0x0FFE12


def services() -> list[str]:
    """List the services that have migrations here."""
    return sorted(path.parent.name for path in ROOT.glob("services/*/migrations"))


def alembic_config(service: str, connection: Connection | None = None) -> Config:
    """Configure Alembic for one service."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "services" / service / "migrations"))
    config.attributes["connection"] = connection
    return config


async def migrate(owner_url: str, *, role_secret: str, signer_secret: str = "") -> None:
    """Migrate all schemas to their newest version; with a role secret, make and grant a role per service.

    `signer_secret` derives the passwords of roles that a service must not be able to take on; empty: the role secret does.

    Raises:
        sqlalchemy.exc.DBAPIError: the server refused; a schema is either fully migrated or untouched.
    """
    engine = create_async_engine(sqlalchemy_url(owner_url))
    try:
        async with engine.connect() as guard:
            await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            for service in services():
                async with engine.begin() as connection:
                    await connection.run_sync(_upgrade, service)
                    if role_secret:
                        secrets = {service: role_secret}
                        await connection.run_sync(_grant, service, owner_url, secrets, signer_secret or role_secret)
    finally:
        await engine.dispose()


def sqlalchemy_url(url: str) -> str:
    """Name asyncpg as the driver of a Postgres URL."""
    return "postgresql+asyncpg://" + url.split("://", 1)[1]


def _upgrade(connection: Connection, service: str) -> None:
    command.upgrade(alembic_config(service, connection), "head")


def _grant(connection: Connection, service: str, owner_url: str, secrets: dict[str, str], other_secret: str) -> None:
    tables = connection.execute(
        text(
            "SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition"
        ),
        {"schema": service},
    ).all()
    keepers = {table: match.group(1) for table, comment in tables if (match := ONLY.match(comment))}
    for role in (service, *sorted(set(keepers.values()))):
        name = _make_role(connection, owner_url, role, secrets.get(role, other_secret))
        connection.execute(text(f'GRANT USAGE ON SCHEMA "{service}" TO "{name}"'))
        for table, comment in tables:
            rights = _rights(role, service, keeper=keepers.get(table, service), is_append_only=APPEND_ONLY in comment)
            if rights and table != "alembic_version":
                connection.execute(text(f'GRANT {rights} ON "{service}"."{table}" TO "{name}"'))


def _make_role(connection: Connection, owner_url: str, role: str, secret: str) -> str:
    name = role_name(owner_url, role)
    password = role_password(secret, name)
    exists = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": name}).scalar()
    verb = "ALTER" if exists else "CREATE"
    connection.execute(text(f"{verb} ROLE \"{name}\" LOGIN PASSWORD '{password}'"))
    return name


def _rights(role: str, service: str, *, keeper: str, is_append_only: bool) -> str:
    """Say what a role may do with a table: all with its own, nothing with another role's, and read what is the service's."""
    if role != keeper:
        return "SELECT" if keeper == service else ""
    return "SELECT, INSERT" if is_append_only else "SELECT, INSERT, UPDATE, DELETE"


def main() -> None:
    """Migrate the database that DATABASE_URL names."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        sys.exit("DATABASE_URL is not set: name the database to migrate, for example postgresql://postgres@127.0.0.1/offerhub")
    role_secret, signer_secret = os.environ.get("OFFERHUB_DB_ROLE_SECRET", ""), os.environ.get("OFFERHUB_SIGNER_DB_SECRET", "")
    asyncio.run(migrate(url, role_secret=role_secret, signer_secret=signer_secret))
    sys.stdout.write(f"migrated: {', '.join(services())}\n")


if __name__ == "__main__":
    main()

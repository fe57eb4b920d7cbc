"""`make migration s=<service> n=<slug>`: a new migration from the difference between a service's tables and its schema.

The comparison runs on a scratch database that has every migration so far; it is dropped again.
"""

import argparse
import asyncio
import re
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.local import settings
from deploy.local.choice import choose
from deploy.local.databases import create_database, drop_database
from deploy.local.errors import LocalError
from deploy.local.processes import Child, Command, end, spawn
from deploy.local.server_processes import STOP_SECONDS, embedded_postgres, start_postgres
from deploy.local.servers import with_database
from deploy.local.state import Origin, StateDir
from libs.common.persistence.migrate import ROOT, alembic_config, migrate, services, sqlalchemy_url

_SLUG: Final = re.compile(r"[a-z][a-z0-9_]{2,40}")


def main() -> int:
    """Write the migration and print its path."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.revision", description="Write a migration from the tables.")
    parser.add_argument("service", choices=services())
    parser.add_argument("slug")
    arguments = parser.parse_args()
    if not _SLUG.fullmatch(arguments.slug):
        parser.error(f"'{arguments.slug}' is not a slug such as add_holds")
    try:
        asyncio.run(_revise(arguments.service, arguments.slug))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _revise(service: str, slug: str) -> None:
    scratch = _scratch_directory()
    local = settings.read({**settings.read().base_environment, "OFFERHUB_STATE_DIR": str(scratch)})
    state = StateDir(scratch)
    postgres = embedded_postgres(local, state.secrets())
    started: list[Child] = []

    def start(server: Command) -> Child:
        started.append(spawn(server))
        return started[-1]

    try:
        choice = await choose(local, Origin(broker="embedded"))
        url = choice.postgres_url or await start_postgres(postgres, state, start)
        await _on_scratch_database(with_database(url, "postgres"), service, slug)
    finally:
        for child in started:
            await end(child.identity, stop_signal=child.command.stop_signal, deadline_seconds=STOP_SECONDS)
        postgres.remove()
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="offerhub-revision-")).resolve()
    directory.chmod(0o711)  # an embedded Postgres started by root runs as nobody, and must get through
    return directory


async def _on_scratch_database(server_url: str, service: str, slug: str) -> None:
    database = f"offerhub_revision_{secrets.token_hex(4)}"
    await create_database(server_url, database)
    try:
        url = with_database(server_url, database)
        await migrate(url, role_secret="")
        engine = create_async_engine(sqlalchemy_url(url))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_write, service, slug)
        finally:
            await engine.dispose()
    finally:
        await drop_database(server_url, database)


def _write(connection: Connection, service: str, slug: str) -> None:
    versions = ROOT / "services" / service / "migrations" / "versions"
    number = 1 + max((int(path.name[:4]) for path in versions.glob("[0-9][0-9][0-9][0-9]_*.py")), default=0)
    command.revision(alembic_config(service, connection), message=slug, rev_id=f"{number:04d}", autogenerate=True)


if __name__ == "__main__":
    sys.exit(main())

import asyncio
import os
import signal
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from deploy.local import settings
from deploy.local.choice import choose
from deploy.local.errors import LocalError
from deploy.local.processes import Child, Command, spawn
from deploy.local.server_processes import embedded_postgres, start_postgres
from deploy.local.servers import address_of, find_broker, find_postgres
from deploy.local.state import Origin, StateDir
from tests.support.servers import embedded_broker_server, embedded_postgres_server, fresh_database, fresh_prefix

NOBODY_LISTENS = "127.0.0.1:1"


def roles(url: str, like: str) -> list[str]:
    async def ask() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            return [row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname LIKE $1", like)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def databases(url: str) -> list[str]:
    async def ask() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            return [row[0] for row in await connection.fetch("SELECT datname FROM pg_database")]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_a_borrowed_database_goes_away_with_its_roles_even_when_the_test_fails(postgres_server_url: str) -> None:
    name = ""

    async def make_role(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(f'CREATE ROLE "{name}_ledger"; CREATE SCHEMA ledger AUTHORIZATION "{name}_ledger"')
        await connection.close()

    def fail() -> None:
        nonlocal name
        with fresh_database(postgres_server_url) as url:
            name = url.rsplit("/", 1)[1]
            asyncio.run(make_role(url))
            assert roles(postgres_server_url, f"{name}%") == [f"{name}_ledger"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert name not in databases(postgres_server_url)
    assert roles(postgres_server_url, f"{name}%") == []


def test_borrowed_names_on_the_bus_go_away(amqp_url: str) -> None:
    async def declare(prefix: str, *, passive: bool) -> None:
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            await channel.declare_queue(f"{prefix}ledger.dead", durable=True, passive=passive)

    with fresh_prefix(amqp_url) as prefix:
        asyncio.run(declare(prefix, passive=False))
        asyncio.run(declare(prefix, passive=True))
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        asyncio.run(declare(prefix, passive=True))


def test_an_embedded_postgres_listens_on_loopback_only_and_wants_its_password(tmp_path: Path) -> None:
    async def ask(url: str) -> tuple[str, str]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval("SHOW listen_addresses"), await connection.fetchval("SHOW unix_socket_directories")
        finally:
            await connection.close()

    async def ask_without_password(url: str) -> None:
        await asyncpg.connect(url, password="not the password")

    with embedded_postgres_server(tmp_path / "state") as url:
        assert asyncio.run(ask(url)) == ("127.0.0.1", "")
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(ask_without_password(url))


def test_a_postgres_left_behind_by_a_killed_launcher_is_ended_before_the_next_one_starts(tmp_path: Path) -> None:
    local = settings.read({**os.environ, "OFFERHUB_STATE_DIR": str(tmp_path / "state")})
    state = StateDir(local.state_dir)
    state.make()
    postgres = embedded_postgres(local, state.secrets())
    started: list[Child] = []

    def start(command: Command) -> Child:
        started.append(spawn(command))
        return started[-1]

    try:
        asyncio.run(start_postgres(postgres, state, start))
        asyncio.run(start_postgres(postgres, state, start))
        left_behind, current = started
        assert not left_behind.identity.alive()
        assert current.identity.alive()
        running = postgres.running()
        assert running is not None
        assert running[0] == current.identity
    finally:
        for child in started:
            child.identity.signal(signal.SIGINT)
            child.popen.wait()
        postgres.remove()
    assert not postgres.data.exists()


async def test_a_closed_port_is_no_server_and_the_reason_is_told() -> None:
    for found in (await find_postgres(NOBODY_LISTENS), await find_broker(NOBODY_LISTENS)):
        assert not found.url
        assert found.reason


def test_the_embedded_broker_is_not_taken_for_rabbitmq(tmp_path: Path) -> None:
    with embedded_broker_server(tmp_path / "state") as url:
        found = asyncio.run(find_broker(address_of(url)))
    assert not found.url
    assert "RabbitMQ" in found.reason


async def test_a_stack_stays_with_the_servers_its_data_is_on(tmp_path: Path) -> None:
    local = settings.read({"OFFERHUB_STATE_DIR": str(tmp_path)})
    embedded = await choose(local, Origin(postgres="embedded", broker="embedded"))
    assert (embedded.postgres_url, embedded.broker_url) == ("", "")
    with pytest.raises(LocalError, match=r"data is on the Postgres at elsewhere:5432"):
        await choose(local, Origin(postgres="elsewhere:5432", broker="embedded"))

"""Real servers for tests: named by the environment, in containers when asked for, found on this machine, or embedded."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from deploy.local import settings
from deploy.local.bus import remove_bus
from deploy.local.choice import Choice, choose
from deploy.local.databases import create_database, drop_database
from deploy.local.embedded_postgres import free_port
from deploy.local.processes import Child, Command, spawn
from deploy.local.server_processes import embedded_postgres, start_broker, start_postgres
from deploy.local.servers import with_database
from deploy.local.settings import LocalSettings
from deploy.local.stack import end_processes
from deploy.local.state import Origin, RunningProcess, StateDir

_POSTGRES_IMAGE: Final = "postgres:17-alpine"
_RABBITMQ_IMAGE: Final = "rabbitmq:4-alpine"
_REDIS_PORT: Final = 6379
_REDIS_START_SECONDS: Final = 10


class Borrowed:
    """The servers of one test session; nothing starts before it is asked for."""

    def __init__(self, directory: Path) -> None:
        """Keep embedded servers' files in `directory`."""
        self._directory = directory

    @contextlib.contextmanager
    def postgres(self) -> Iterator[str]:
        """Yield a URL that may make databases and roles."""
        if _wants_containers("OFFERHUB_TEST_DATABASE_URL"):
            from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - only where there is a Docker engine

            with PostgresContainer(_POSTGRES_IMAGE, driver=None) as container:
                yield container.get_connection_url()
            return
        url = self._choice().postgres_url
        if url:
            yield with_database(url, "postgres")
            return
        with embedded_postgres_server(self._directory / "postgres") as embedded:
            yield embedded

    @contextlib.contextmanager
    def broker(self) -> Iterator[str]:
        """Yield a broker's URL."""
        if _wants_containers("OFFERHUB_TEST_AMQP_URL"):
            from testcontainers.rabbitmq import RabbitMqContainer  # noqa: PLC0415 - only where there is a Docker engine

            with RabbitMqContainer(_RABBITMQ_IMAGE) as container:
                host, port = container.get_container_host_ip(), container.get_exposed_port(container.port)
                yield f"amqp://{container.username}:{container.password}@{host}:{port}/"
            return
        url = self._choice().broker_url
        if url:
            yield url
            return
        with embedded_broker_server(self._directory / "broker") as embedded:
            yield embedded

    @contextlib.contextmanager
    def redis(self) -> Iterator[str]:
        """Yield a Redis' URL, empty when there is none to be had."""
        named = os.environ.get("OFFERHUB_TEST_REDIS_URL", "")
        if named or _listens(_REDIS_PORT):
            yield named or f"redis://127.0.0.1:{_REDIS_PORT}/0"
        elif RedisServer.is_installed():
            with RedisServer(self._directory / "redis") as server:
                yield server.url
        else:
            yield ""

    def _choice(self) -> Choice:
        return asyncio.run(choose(_local(self._directory), Origin()))


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Make a database of its own; it goes away with its roles."""
    name = f"offerhub_test_{secrets.token_hex(6)}"
    asyncio.run(create_database(server_url, name))
    try:
        yield with_database(server_url, name)
    finally:
        asyncio.run(drop_database(server_url, name))


@contextlib.contextmanager
def fresh_prefix(broker_url: str) -> Iterator[str]:
    """Make up a prefix for names on the bus; everything under it goes away."""
    prefix = f"oht_{secrets.token_hex(6)}."
    try:
        yield prefix
    finally:
        asyncio.run(remove_bus(broker_url, prefix))


@contextlib.contextmanager
def embedded_postgres_server(directory: Path) -> Iterator[str]:
    """Run an embedded Postgres with its files in a directory; yield the superuser's URL."""
    local, state = _local(directory), StateDir(directory)
    state.make()
    postgres = embedded_postgres(local, state.secrets())
    with _children() as start:
        yield asyncio.run(start_postgres(postgres, state, start))
    postgres.remove()


@contextlib.contextmanager
def embedded_broker_server(directory: Path) -> Iterator[str]:
    """Run an embedded broker with its files in a directory; yield its URL."""
    local, state = _local(directory), StateDir(directory)
    state.make()
    with _children() as start:
        yield asyncio.run(start_broker(local, state, start))


class RedisServer:
    """A Redis of a test's own, on a free port, that keeps nothing on disk; it can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        """Run it in this directory."""
        self._directory = directory
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Tell whether the server's program is on this machine."""
        return shutil.which("redis-server") is not None

    def __enter__(self) -> Self:
        """Start, and wait until it answers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        self.kill()

    def start(self) -> None:
        """Start it on its port, empty."""
        self._directory.mkdir(exist_ok=True)
        settings = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory))
        self._process = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _REDIS_START_SECONDS
        while not _listens(self._port):
            assert time.monotonic() < deadline, "redis-server does not come up"
            time.sleep(0.01)

    def kill(self) -> None:
        """Take it away as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self, *, frozen: bool) -> None:
        """Let it hang, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


class _Children:
    def __init__(self) -> None:
        self.started: list[Child] = []

    def __call__(self, command: Command) -> Child:
        child = spawn(command)
        self.started.append(child)
        return child


@contextlib.contextmanager
def _children() -> Iterator[_Children]:
    children = _Children()
    try:
        yield children
    finally:
        asyncio.run(
            end_processes(
                RunningProcess(
                    name=child.command.name,
                    pid=child.identity.pid,
                    started=child.identity.started,
                    stop_signal=child.command.stop_signal,
                )
                for child in children.started
            )
        )
        for child in children.started:
            child.popen.wait()


def _local(directory: Path) -> LocalSettings:
    named = {
        "OFFERHUB_STATE_DIR": str(directory),
        "DATABASE_URL": os.environ.get("OFFERHUB_TEST_DATABASE_URL", ""),
        "AMQP_URL": os.environ.get("OFFERHUB_TEST_AMQP_URL", ""),
    }
    return settings.read({**os.environ, **named})


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wants_containers(variable: str) -> bool:
    return os.environ.get("OFFERHUB_TEST_SERVERS") == "containers" and not os.environ.get(variable)

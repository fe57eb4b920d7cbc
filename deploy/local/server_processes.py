"""Brings the embedded servers up as processes of the stack."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.local.embedded_postgres import EmbeddedPostgres, free_port
from deploy.local.errors import LocalError
from deploy.local.processes import Child, Command, end, last_lines
from deploy.local.servers import probe_postgres
from deploy.local.settings import LocalSettings
from deploy.local.state import Secrets, StateDir

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
"""Longer than a gateway or worker takes to finish what it accepted."""
_PORT_ATTEMPTS: Final = 3
_POLL_SECONDS: Final = 0.05
_TAIL_LINES: Final = 15

Spawn = Callable[[Command], Child]


def embedded_postgres(settings: LocalSettings, secrets: Secrets) -> EmbeddedPostgres:
    """Name the stack's own Postgres, whether it exists or not."""
    return EmbeddedPostgres(
        home=settings.state_dir,
        fallback=f"offerhub-{settings.stack_hash}",
        password=secrets.postgres_password,
        environment=settings.base_environment,
    )


async def start_postgres(postgres: EmbeddedPostgres, state: StateDir, spawn: Spawn) -> str:
    """Start the embedded Postgres and return its superuser's URL.

    Raises:
        LocalError: it does not come up.
    """
    orphan = postgres.running()
    if orphan is not None:
        # A launcher was killed before it could note this server down.
        await end(orphan[0], stop_signal=postgres.command(port=orphan[1], log=Path()).stop_signal, deadline_seconds=STOP_SECONDS)
    await asyncio.to_thread(postgres.initialise)
    log = state.logs / "postgres.log"
    for _ in range(_PORT_ATTEMPTS):
        port = free_port()
        child = spawn(postgres.command(port=port, log=log))
        if await _accepts(postgres.url(port), child):
            return postgres.url(port)
        await end(child.identity, stop_signal=child.command.stop_signal, deadline_seconds=STOP_SECONDS)
    raise LocalError(f"the embedded Postgres does not come up; its log {log} ends with\n{last_lines(log, _TAIL_LINES)}")


async def start_broker(settings: LocalSettings, state: StateDir, spawn: Spawn) -> str:
    """Start the embedded broker and return its URL.

    Raises:
        LocalError: it does not come up.
    """
    port_file = state.ports / "broker.port"
    port_file.unlink(missing_ok=True)
    log = state.logs / "broker.log"
    child = spawn(broker_command(settings, state, port=0))
    port = await port_written(port_file, child, deadline_seconds=START_SECONDS)
    if port is None:
        raise LocalError(f"the embedded broker does not come up; its log {log} ends with\n{last_lines(log, _TAIL_LINES)}")
    child.command = broker_command(settings, state, port=port)  # one that dies comes back where its clients look for it
    return f"amqp://guest:guest@127.0.0.1:{port}/"


def broker_command(settings: LocalSettings, state: StateDir, *, port: int) -> Command:
    """Name the broker process."""
    files = ("--port-file", str(state.ports / "broker.port"), "--state", str(state.path / "broker.snapshot"))
    return Command(
        name="broker",
        arguments=[sys.executable, "-m", "deploy.local.amqp", "--host", "127.0.0.1", "--port", str(port), *files],
        environment={**settings.base_environment, "PYTHONUNBUFFERED": "1"},
        log=state.logs / "broker.log",
        cwd=ROOT,
    )


async def run_to_end(command: Command, spawn: Spawn, *, deadline_seconds: float) -> None:
    """Run a command that ends by itself.

    Raises:
        LocalError: it failed or took too long; the message has the end of its log.
    """
    child = spawn(command)
    deadline = time.monotonic() + deadline_seconds
    while child.exit_status() is None and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
    if child.exit_status() != 0:
        await end(child.identity, stop_signal=command.stop_signal, deadline_seconds=1)
        raise LocalError(f"{command.name} failed; its log {command.log} ends with\n{last_lines(command.log, _TAIL_LINES)}")


async def port_written(port_file: Path, child: Child, *, deadline_seconds: float) -> int | None:
    """Wait for a process to write its port; None when it ended or the deadline has passed."""
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline and child.exit_status() is None:
        port = read_port(port_file)
        if port:
            return port
        await asyncio.sleep(_POLL_SECONDS)
    return None


def read_port(port_file: Path) -> int:
    """Return the port a process wrote, 0 when it has not yet."""
    try:
        return int(port_file.read_text())
    except (FileNotFoundError, ValueError):
        return 0


async def _accepts(url: str, child: Child) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.exit_status() is None:
        if (await probe_postgres(url)).url:
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False

"""Replacing the processes of a running stack one by one: the new one is ready before the old one is told to stop."""

import signal
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import psutil

from deploy.local import environment, listening
from deploy.local.errors import LocalError
from deploy.local.processes import Command, end, spawn
from deploy.local.readiness import READY_SECONDS, ready_port
from deploy.local.server_processes import ROOT, STOP_SECONDS
from deploy.local.settings import LocalSettings
from deploy.local.state import Run, RunningProcess, StateDir

_GATEWAY: Final = "gateway"
Say = Callable[[str], None]


async def restart(settings: LocalSettings, say: Say, services: Collection[str]) -> int:
    """Replace every process of these services, each with the environment it was started with.

    Raises:
        LocalError: a new process does not become ready, and the old one goes on; or the stack is supervised.
    """
    state = StateDir(settings.state_dir)
    with state.locked():
        run = state.run()
        if run.supervisor is not None and run.supervisor.identity.alive():
            raise LocalError(f"`make up` watches over this stack, as process {run.supervisor.pid}; `make start` leaves it to you")
        chosen = [process for process in run.processes if process.service in services]
        if not chosen:
            say("nothing of that runs here")
            return 1
        with listening.join(urlsplit(run.api_url).port or 0) as joined:
            for process in chosen:
                run = await _replace(state, run, process, joined)
                say(f"  {process.name:<12} replaced")
    return 0


async def _replace(state: StateDir, run: Run, old: RunningProcess, joined: socket.socket) -> Run:
    port_file = state.ports / f"{old.name}.port"
    child = spawn(_again(old, state.logs / f"{old.name}.log", joined, port_file))
    try:
        port = await ready_port(child, port_file, deadline=time.monotonic() + READY_SECONDS)
    except BaseException:
        await end(child.identity, stop_signal=signal.SIGKILL, deadline_seconds=0)
        port_file.write_text(str(old.health_port))
        raise
    if old.service == _GATEWAY:
        joined.listen()  # from here on both sockets get connections
    new = msgspec.structs.replace(old, pid=child.identity.pid, started=child.identity.started, health_port=port)
    run = msgspec.structs.replace(run, processes=tuple(new if process is old else process for process in run.processes))
    state.keep_run(run)
    state.keep_run_env({**state.run_variables(), **environment.of_processes(run.processes)})
    await end(old.identity, stop_signal=signal.Signals(old.stop_signal), deadline_seconds=STOP_SECONDS)
    return run


def _again(old: RunningProcess, log: Path, joined: socket.socket, port_file: Path) -> Command:
    try:
        process = psutil.Process(old.pid)
        arguments, told = process.cmdline(), process.environ()
    except psutil.NoSuchProcess:
        raise LocalError(f"{old.name} is gone; `make start` brings everything up again") from None
    port_file.unlink(missing_ok=True)
    inherited: tuple[int, ...] = ()
    if old.service == _GATEWAY:
        inherited = (joined.fileno(),)
        told = environment.of_gateway(told, port=joined.getsockname()[1], fd=inherited[0])
    return Command(name=old.name, arguments=arguments, environment=told, log=log, cwd=ROOT, inherited_fds=inherited)

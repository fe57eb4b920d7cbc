"""Operating-system processes that are told apart by pid and start time, so that a reused pid is never signalled."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

_POLL_SECONDS: Final = 0.05
_KILL_SECONDS: Final = 5.0
_LOG_TAIL_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: float
    """Seconds since 1970, as the kernel tells."""

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identify a live process; None when there is none (a zombie is none)."""
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, process.create_time())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Signal this process, never another one."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start a process; starting the same command again gives the same process anew."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    cwd: Path
    user: int | None = None
    inherited_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM


@dataclass(slots=True)
class Child:
    """A process started by this launcher: a session of its own, so it outlives the launcher and hears no Ctrl-C."""

    command: Command
    popen: subprocess.Popen[bytes]
    identity: Identity
    restarts: int = field(default=0)

    def exit_status(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        return self.popen.poll()


def spawn(command: Command) -> Child:
    """Start a process; what it prints goes to the end of its log.

    Raises:
        OSError: the program is missing or may not be run.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        popen = subprocess.Popen(
            list(command.arguments),
            env=dict(command.environment),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=command.inherited_fds,
            user=command.user,
            group=command.user,
            extra_groups=None if command.user is None else [],
        )
    # Not yet waited for, so the pid is still ours even if it has already ended.
    started = psutil.Process(popen.pid).create_time()
    return Child(command, popen, Identity(popen.pid, started))


async def end(identity: Identity, *, stop_signal: signal.Signals, deadline_seconds: float) -> bool:
    """Ask a process to stop, kill it at the deadline; return whether it stopped by itself."""
    identity.signal(stop_signal)
    if await gone(identity, deadline_seconds=deadline_seconds):
        return True
    identity.signal(signal.SIGKILL)
    await gone(identity, deadline_seconds=_KILL_SECONDS)
    return False


async def gone(identity: Identity, *, deadline_seconds: float) -> bool:
    """Wait until a process has ended; False at the deadline. Works for processes that are not our children."""
    deadline = time.monotonic() + deadline_seconds
    while identity.alive():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def last_lines(log: Path, count: int) -> str:
    """Return the end of a log, indented, for a person to read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"

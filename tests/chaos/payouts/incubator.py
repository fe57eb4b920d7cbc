"""`python -m tests.chaos.payouts.incubator`: starts processes in a tenth of the time, by forks of one that has imported all.

A line in asks for a process, and lines out tell its pid and, later, how it ended. Each is a process of its own, with its own
environment, session and log; they end when whoever asks does.
"""

import contextlib
import gc
import importlib
import os
import runpy
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Final

import msgspec

_IMPORTED: Final = (
    "services.payouts.app",
    "services.payouts.entrypoints.maker",
    "services.payouts.entrypoints.payer",  # with Stellar's library
    "anyio._backends._asyncio",
    "httpcore",
    "uvloop",
)
_POLL_SECONDS: Final = 0.02
_READ_BYTES: Final = 1 << 20


class Wanted(msgspec.Struct, frozen=True):
    """A module to run, as `python -m` does."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    logs: str
    """The directory of logs; each is named by its process' pid."""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """A process was born, in the order of asking; or, with a status (negative for a signal), has ended."""

    pid: int
    status: int | None = None


def main() -> None:
    """Serve until nobody asks any more."""
    import uvloop  # noqa: F401, PLC0415

    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    alive: set[int] = set()
    rest = b""
    while True:
        _bury(alive)
        if not select.select([0], [], [], _POLL_SECONDS)[0]:
            continue
        read = os.read(0, _READ_BYTES)
        if not read:
            break
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            alive.add(_bear(msgspec.json.decode(line, type=Wanted)))
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _bear(wanted: Wanted) -> int:
    pid = os.fork()
    if pid == 0:
        _live(wanted)
    _tell(Told(pid))
    return pid


def _live(wanted: Wanted) -> None:
    status = 1
    try:
        os.setsid()
        with Path("/dev/null").open("rb") as nothing, Path(wanted.logs, f"{os.getpid()}.log").open("wb") as log:
            for source, place in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(source.fileno(), place)
        os.environ.clear()
        os.environ.update(wanted.environment)
        sys.argv = [wanted.module, *wanted.arguments]
        runpy.run_module(wanted.module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - the edge of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(alive: set[int]) -> None:
    while alive:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        alive.discard(pid)
        _tell(Told(pid, os.waitstatus_to_exitcode(status)))


def _tell(told: Told) -> None:
    os.write(1, msgspec.json.encode(told) + b"\n")


if __name__ == "__main__":
    main()

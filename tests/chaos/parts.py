"""Parts of a long run, each in a process of its own: one that dies takes no other with it, and says how it died."""

import contextlib
import faulthandler
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

T = TypeVar("T")
_LAST_LINES: Final = 60
_SPAWN: Final = get_context("spawn")


class DiedError(Exception):
    """A part ended without its result; what it said last and its exit code are in the message."""


def in_a_process(work: Callable[[], T], *, seconds: float) -> T:
    """Do some work in a process of its own; one that takes too long is ended, and shows where it was.

    Raises:
        DiedError: it raised an error, was killed, or took too long.
    """
    with TemporaryDirectory() as directory:
        output = Path(directory) / "output"
        reader, writer = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_do, args=(work, output, writer, seconds))
        process.start()
        writer.close()
        done: list[T] = []
        with contextlib.suppress(EOFError):
            done.append(reader.recv())
        process.join()
        if done and not process.exitcode:
            return done[0]
        said = output.read_text(errors="replace").splitlines() if output.exists() else []
    raise DiedError("\n".join([f"exit code {process.exitcode}, after it had said:", *said[-_LAST_LINES:]]))


def _do(work: Callable[[], Any], output: Path, writer: Connection, seconds: float) -> None:
    with output.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable(file=2)
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    writer.send(work())

"""A document with commands in it, played as a reader would: its shell blocks in order, in one shell."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_FILE: Final = re.compile(r"(?:#|//) (\w+\.\w+)\n")
_OURS: Final = ("OFFERHUB_", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "PORT", "MAKE", "MFLAGS")
_BETWEEN: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is its first one, counted from 1, `section` the title it stands under."""

    line: int
    language: str
    text: str
    section: str


def blocks(document: Path) -> list[Block]:
    """Return a document's fenced blocks."""
    text = document.read_text()
    return [
        Block(text.count("\n", 0, found.start(2)) + 1, found[1], found[2], (["", *_TITLE.findall(text, 0, found.start())])[-1])
        for found in _FENCE.finditer(text)
    ]


def lay_out(told: Sequence[Block], directory: Path) -> None:
    """Write the blocks that name a file in their first line, a comment, as a reader would."""
    for block in told:
        if (named := _FILE.match(block.text)) is not None:
            (directory / named[1]).write_text(block.text)


def write_run_env(directory: Path, stack: Mapping[str, str]) -> None:
    """Write a run.env where the launcher would, so that a document's shell finds a stack that runs already."""
    state = directory / ".local"
    state.mkdir()
    (state / "run.env").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in stack.items()))


def play(scripts: Sequence[str], directory: Path, environment: Mapping[str, str], *, seconds: int) -> list[str]:
    """Run scripts one after the other in one shell that stops at the first failure; return what each printed.

    Nothing that they started outlives them.
    """
    script = f"printf '{_BETWEEN}'\n".join(scripts)
    shell = subprocess.Popen(
        ["sh", "-e", "-c", script],
        cwd=directory,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    assert shell.returncode == 0, out + err
    return out.split(_BETWEEN)


def without_stack() -> dict[str, str]:
    """Return this environment as a reader's: it names no stack, and no make is running it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS) or name == "OFFERHUB_LOCAL"}

"""A document with commands in it, played as a reader would: its shell blocks in order, in one shell."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OURS: Final = ("OFFERHUB_", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "PORT", "MAKE", "MFLAGS")
_BETWEEN: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is its first one, counted from 1."""

    line: int
    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    """Return a document's fenced blocks."""
    text = document.read_text()
    return [Block(text.count("\n", 0, found.start(2)) + 1, found[1], found[2]) for found in _FENCE.finditer(text)]


def play(scripts: Sequence[str], directory: Path, environment: Mapping[str, str], *, seconds: int) -> list[str]:
    """Run scripts one after the other in one shell that stops at the first failure; return what each printed."""
    script = f"printf '{_BETWEEN}'\n".join(scripts)
    ran = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=directory,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.split(_BETWEEN)


def without_stack() -> dict[str, str]:
    """Return this environment as a reader's: it names no stack, and no make is running it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS) or name == "OFFERHUB_LOCAL"}

"""Where a snippet ends: each kind of code has a grammar that says when it is complete."""

import json
import re
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import Final

STATEMENT: Final = re.compile(r"(?:import|const|let|await|if|for|try)\b|//|\w+(?:\.\w+)+\(")
ADDRESS: Final = re.compile(r"https?://|/")
_HEADER: Final = re.compile(r"[A-Z][\w-]*: \S")
_QUOTED_OR_REMARK: Final = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`[^`]*`|//[^\n]*""")
_DECLARED: Final = re.compile(r"^(?:const|let) (\w+)", re.MULTILINE)
_FIGURE: Final = re.compile(r"[a-z_]+: \d+(?:\.\d+)?(?: \(.*\))?$")


class Kind(StrEnum):
    """What a snippet is written in."""

    SHELL = "shell"
    JSON = "json"
    HTTP = "http"
    """A header, a request or a response, as they go over the wire."""
    ADDRESS = "address"
    SCRIPT = "script"
    FIGURES = "figures"
    """Lines of `name: number`."""


class UnreadableError(ValueError):
    """A snippet is not what its kind must be."""


def end_of(kind: Kind, lines: list[str], start: int) -> int:
    """Return the index behind the last line of the snippet that begins at `start`.

    Raises:
        UnreadableError: it never ends.
    """
    return _ENDS[kind](lines, start)


def _json(lines: list[str], start: int) -> int:
    rest = "\n".join(lines[start:])
    try:
        _, length = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {start + error.lineno}: {error.msg}") from None
    return start + rest.count("\n", 0, length) + 1


def _shell(lines: list[str], start: int) -> int:
    """Take remarks and one command: it ends where every quote is closed and no line goes on."""
    begin = start
    while lines[begin].startswith("#"):
        begin += 1
    for end in range(begin + 1, len(lines) + 1):
        try:
            shlex.split("\n".join(lines[begin:end]))
        except ValueError:
            continue
        return end
    raise UnreadableError(f"line {start + 1}: the command never ends")


def _http(lines: list[str], start: int) -> int:
    """Take a header, or the first line of a message with its headers and, behind a blank line, its JSON."""
    is_message = _HEADER.match(lines[start]) is None
    end = _while(_HEADER, lines, start + is_message)
    if is_message and end + 1 < len(lines) and not lines[end].strip() and lines[end + 1].startswith(("{", "[")):
        return _json(lines, end + 1)
    return end


def _addresses(lines: list[str], start: int) -> int:
    return _while(ADDRESS, lines, start)


def _figures(lines: list[str], start: int) -> int:
    return _while(_FIGURE, lines, start)


def _while(shape: re.Pattern[str], lines: list[str], start: int) -> int:
    return next((at for at in range(start, len(lines)) if shape.match(lines[at]) is None), len(lines))


def _script(lines: list[str], start: int) -> int:
    """Take statements until prose follows, or a statement that declares a name anew: it begins a program of its own."""
    declared: set[str] = set()
    at = start
    while at < len(lines) and STATEMENT.match(lines[at]):
        end = _statement(lines, at)
        names = set(_DECLARED.findall("\n".join(lines[at:end])))
        if names & declared:
            return at
        declared |= names
        at = end
    return at


def _statement(lines: list[str], start: int) -> int:
    """Take a statement with the remarks above it."""
    begin = start
    while begin < len(lines) and lines[begin].startswith("//"):
        begin += 1
    for end in range(begin + 1, len(lines) + 1):
        code = _QUOTED_OR_REMARK.sub("", "\n".join(lines[begin:end]))
        if sum(map(code.count, "([{")) <= sum(map(code.count, ")]}")):
            return end
    raise UnreadableError(f"line {start + 1}: the statement never ends")


_ENDS: Final[dict[Kind, Callable[[list[str], int], int]]] = {
    Kind.SHELL: _shell,
    Kind.JSON: _json,
    Kind.HTTP: _http,
    Kind.ADDRESS: _addresses,
    Kind.SCRIPT: _script,
    Kind.FIGURES: _figures,
}

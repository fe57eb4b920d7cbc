"""Reads a document that lost its mark-up: which of its lines are code, which are tables, and under which heading they stand.

Two dialects are known. In a marked document each snippet begins behind a line that names its language, and blank lines part
everything. A bare document has neither: a snippet begins where a line looks like one, and a table is one long line. In both a
snippet ends where its own grammar says so. The columns of a table have run together; `tables` keeps the rows as they are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from tests.support.client_docs.endings import ADDRESS, STATEMENT, Kind, end_of

_MARKS: Final = {
    **dict.fromkeys(("bash", "sh", "shell", "$"), Kind.SHELL),
    "json": Kind.JSON,
    "http": Kind.HTTP,
    **dict.fromkeys(("javascript", "js", "typescript", "ts"), Kind.SCRIPT),
}
_REQUEST: Final = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /")
_OPERATION: Final = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /[^\s?]+")
_BARE: Final = {
    Kind.SHELL: re.compile(r"curl |# "),
    Kind.JSON: re.compile(r"[{\[]"),
    Kind.SCRIPT: STATEMENT,
    Kind.FIGURES: re.compile(r"[a-z_]+: \d"),
}
_HEADING: Final = re.compile(r"[A-Z][\w&'-]*(?: [\w&'-]+){0,5}")
_PARTS: Final = frozenset({"Request", "Request Body", "Response"})
"""Titles that say which half of an exchange follows, and leave the heading as it is."""
_SMELLS: Final = (
    re.compile(r"[{;\\\[]$"),
    re.compile(r"^\s*[\[\]{}(),;]+$"),
    re.compile(r'^\s*"[^"]*"\s*:'),
    re.compile(r"^\s*(?:curl |//|# |-[HdX] |HTTP/\d|import |const |let |await |if \(|try \{|[\w-]+: \d)"),
    re.compile(r"^(?:Authorization|Content-Type|Idempotency-Key|Retry-After): "),
    re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE) /\S+\?"),
)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of code; `line` counts from 1, `ordinal` counts the snippets of the heading."""

    document: str
    heading: str
    ordinal: int
    part: str
    """`Request Body`, `Request`, `Response` or empty: which half of an exchange it was printed as."""
    operation: str
    """The method and path that stand above it under the heading, or empty."""
    kind: Kind
    line: int
    text: str

    @property
    def name(self) -> str:
        """Name it for lists that people keep."""
        return f"{self.document}/{self.heading}/{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows whose columns have run together; in a bare document header and rows are one line."""

    document: str
    heading: str
    ordinal: int
    line: int
    header: str
    rows: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name it for lists that people keep."""
        return f"{self.document}/{self.heading}/{self.ordinal}"

    def without(self, known: Iterable[str]) -> list[str]:
        """Return the rows that begin with none of these; what a row begins with ends where another word begins."""
        starts = [re.compile(rf"{re.escape(start)}(?![a-z_])") for start in known]
        return [row for row in self.rows if not any(start.match(row) for start in starts)]


@dataclass(frozen=True, slots=True)
class Prose:
    """A line that is neither code nor title."""

    heading: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document taken apart. Every line that is not blank, a mark or a title is in exactly one of its parts."""

    name: str
    snippets: tuple[Snippet, ...]
    tables: tuple[Table, ...]
    prose: tuple[Prose, ...]
    operations: tuple[str, ...]

    def missed(self) -> list[str]:
        """Return the lines outside of snippets that look like code all the same."""
        lines = [(item.line, item.text) for item in self.prose]
        lines += [(table.line + number, row) for table in self.tables for number, row in enumerate(table.rows, 1)]
        return [f"{self.name}:{line}: {text}" for line, text in sorted(lines) if any(smell.search(text) for smell in _SMELLS)]


def read(name: str, text: str) -> Document:
    """Take a document apart.

    Raises:
        UnreadableError: a snippet begins and never ends; the message has the line.
    """
    scan = _Scan(name, text.splitlines())
    scan.run()
    tables = tuple(scan.tables())
    in_tables = {line for table in tables for line in range(table.line, table.line + len(table.rows) + bool(table.header))}
    prose = tuple(item for item in scan.prose if item.line not in in_tables)
    return Document(name, tuple(scan.snippets), tables, prose, tuple(scan.operations))


@dataclass
class _Scan:
    name: str
    lines: list[str]
    heading: str = ""
    part: str = ""
    operation: str = ""
    behind: int = 0
    """The index behind the last snippet."""
    snippets: list[Snippet] = field(default_factory=list)
    prose: list[Prose] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.is_marked = any(self._is_mark(at) for at in range(len(self.lines)))

    def run(self) -> None:
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            start = at + 1 if self.is_marked else at
            kind = self._kind_at(at)
            if kind is not None:
                end = end_of(kind, self.lines, start)
                self._keep(kind, start, end)
                at = self.behind = end
                continue
            at += 1
            if not line.strip():
                continue
            if line.rstrip(":") in _PARTS:
                self.part = line.rstrip(":")
            elif self._is_heading(at - 1):
                self.heading, self.part, self.operation = line, "", ""
            elif _OPERATION.fullmatch(line):
                self.operation = line
                self.operations.append(line)
            else:
                self.prose.append(Prose(self.heading, at, line))

    def tables(self) -> Iterator[Table]:
        """Find the tables: neighbouring lines in a marked document, long lines without a full stop in a bare one."""
        counts: Counter[str] = Counter()
        lines = [item for item in self.prose if not item.text.startswith((" ", "—"))]
        for _, neighbours in groupby(enumerate(lines), lambda item: item[1].line - item[0]):
            for block in self._tables_in([item for _, item in neighbours]):
                counts[block[0].heading] += 1
                header = block[0].text if self.is_marked else ""
                rows = tuple(item.text for item in block[bool(header) :])
                yield Table(self.name, block[0].heading, counts[block[0].heading], block[0].line, header, rows)

    def _tables_in(self, block: list[Prose]) -> list[list[Prose]]:
        if self.is_marked:
            return [block] if len(block) > 1 else []
        return [[item] for item in block if " — " not in item.text and item.text[-1] not in ".:"]

    def _keep(self, kind: Kind, start: int, end: int) -> None:
        self.seen[self.heading] += 1
        text = "\n".join(self.lines[start:end]).rstrip("\n")
        place = (self.name, self.heading, self.seen[self.heading], self.part, self.operation)
        self.snippets.append(Snippet(*place, kind, start + 1, text))

    def _is_mark(self, at: int) -> bool:
        return self.lines[at] in _MARKS and at + 1 < len(self.lines) and bool(self.lines[at + 1].strip())

    def _kind_at(self, at: int) -> Kind | None:
        if not self.is_marked:
            return next((kind for kind, start in _BARE.items() if start.match(self.lines[at])), None)
        if not self._is_mark(at):
            return None
        first = self.lines[at + 1]
        if _MARKS[self.lines[at]] is not Kind.SCRIPT:
            return _MARKS[self.lines[at]]
        if ADDRESS.match(first):
            return Kind.ADDRESS
        return Kind.HTTP if _REQUEST.match(first) else Kind.SCRIPT

    def _is_heading(self, at: int) -> bool:
        if _HEADING.fullmatch(self.lines[at]) is None:
            return False
        before, after = self.lines[max(0, at - 1)], self.lines[at + 1] if at + 1 < len(self.lines) else ""
        stands_alone = (not before.strip() or at in (0, self.behind)) and not after.strip()
        return stands_alone or not self.is_marked

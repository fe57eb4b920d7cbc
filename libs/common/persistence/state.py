"""The rows a batch works on, in memory: loaded once, changed by decisions, written once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from libs.common.persistence.reads import Read, read_all
from libs.common.persistence.rows import Key, Row, Table
from libs.common.persistence.writes import Connection, Copy, Write

AnyTable = Table[Any]


class Needs(msgspec.Struct, frozen=True, gc=False):
    """The rows a decision must see.

    `rows`: by primary key. `under`: every row whose leading key columns have these values.
    `new`: rows to insert when they don't exist yet (accounts at zero, heads at zero).
    """

    rows: tuple[tuple[AnyTable, Key], ...] = ()
    under: tuple[tuple[AnyTable, Key], ...] = ()
    new: tuple[tuple[AnyTable, msgspec.Struct], ...] = ()


@dataclass(slots=True)
class _ByTable:
    """What a batch needs, gathered in one pass: keys, prefixes by their width, and rows to insert, per table."""

    keys: defaultdict[AnyTable, set[Key]] = field(default_factory=lambda: defaultdict(set))
    prefixes: defaultdict[AnyTable, defaultdict[int, set[Key]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    new: defaultdict[AnyTable, list[msgspec.Struct]] = field(default_factory=lambda: defaultdict(list))

    def add(self, needs: Needs) -> None:
        for table, key in needs.rows:
            self.keys[table].add(key)
        for table, prefix in needs.under:
            self.prefixes[table][len(prefix)].add(prefix)
        for table, row in needs.new:
            self.new[table].append(row)

    def reads(self, table: AnyTable) -> Iterator[Read]:
        """Describe what is needed of a table."""
        if table in self.keys:
            yield Read(table, table.key, self.keys[table])
        for width, prefixes in self.prefixes.get(table, {}).items():
            yield Read(table, table.key[:width], prefixes)


@dataclass(slots=True)
class State:
    """Rows by table and key. Reading one that no `Needs` named gives None, like one that does not exist."""

    _rows: dict[AnyTable, dict[Key, Any]] = field(default_factory=dict)
    _loaded: defaultdict[AnyTable, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _changed: dict[AnyTable, dict[Key, Any]] = field(default_factory=dict)
    _removed: dict[AnyTable, set[Key]] = field(default_factory=dict)

    def get(self, table: Table[Row], key: Key) -> Row | None:
        """Return a row as the decisions before this one left it."""
        row: Row | None = self._rows.get(table, {}).get(key)
        return row

    def under(self, table: Table[Row], prefix: Key) -> list[Row]:
        """Return every known row whose key begins with `prefix`, in key order."""
        rows = self._rows.get(table, {})
        return [rows[key] for key in sorted(rows) if key[: len(prefix)] == prefix]

    def put(self, table: Table[Row], row: Row) -> None:
        """Keep a changed or new row."""
        key = table.key_of(row)
        self._rows.setdefault(table, {})[key] = row
        self._changed.setdefault(table, {})[key] = row

    def remove(self, table: AnyTable, key: Key) -> None:
        """Forget a row, and delete it if the database has it."""
        self._rows.get(table, {}).pop(key, None)
        self._changed.get(table, {}).pop(key, None)
        if key in self._loaded[table]:
            self._loaded[table].discard(key)
            self._removed.setdefault(table, set()).add(key)

    def _loaded_rows(self, table: Table[Row], rows: Iterable[Row]) -> None:
        loaded = {table.key_of(row): row for row in rows}
        self._rows.setdefault(table, {}).update(loaded)
        self._loaded[table].update(loaded)

    async def load(self, connection: Connection, needs: Iterable[Needs], tables: Iterable[AnyTable]) -> None:
        """Fetch what is needed: first what is locked or must be made, table by table in their order, then all else together.

        So nothing is older than the locks that were waited for.
        """
        wanted = _ByTable()
        for need in needs:
            wanted.add(need)
        reads: list[Read] = []
        for table in tables:
            if table.lock or table in wanted.new:
                await self._load(connection, table, wanted)
            else:
                reads += wanted.reads(table)
        for read, rows in zip(reads, await read_all(connection, reads), strict=True):
            self._loaded_rows(read.table, rows)

    async def _load(self, connection: Connection, table: AnyTable, wanted: _ByTable) -> None:
        new = {table.key_of(row): row for row in wanted.new.get(table, ())}
        keys = wanted.keys.get(table, set()) | new.keys()
        self._loaded_rows(table, await table.load(connection, keys))
        missing = [row for key, row in new.items() if key not in self._loaded[table]]
        if missing:
            await table.insert_missing(connection, missing)
            self._loaded_rows(table, await table.load(connection, map(table.key_of, missing)))
        for width, prefixes in wanted.prefixes.get(table, {}).items():
            self._loaded_rows(table, await table.load_by(connection, table.key[:width], prefixes))

    def writes(self, tables: Iterable[AnyTable]) -> Iterator[Write | Copy]:
        """Describe every change, at most one delete, one insert and one update a table, in the order of `tables`."""
        for table in tables:
            changed, removed = self._changed.get(table, {}), self._removed.get(table)
            if table.index:
                continue
            if removed:
                yield table.deletion(removed)
            loaded = self._loaded[table]
            new = [row for key, row in changed.items() if key not in loaded]
            old = [row for key, row in changed.items() if key in loaded]
            if new:
                yield table.insertion(new)
            if old:
                yield table.updating(old)

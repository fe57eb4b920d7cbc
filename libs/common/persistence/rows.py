"""Rows by the set: a table description that loads, inserts and updates many rows with one statement each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from libs.common.kernel.errors import check
from libs.common.persistence.writes import COPY_ROWS, Connection, Copy, Write, write_all

__all__ = ["Connection", "Key", "Row", "Table"]

Row = TypeVar("Row", bound=msgspec.Struct)
Key = tuple[Any, ...]

_JSON: Final = "jsonb"


@dataclass(frozen=True, eq=False)
class Table(Generic[Row]):
    """One table as a service works with it. Row fields and `columns` are the same names in the same order.

    `key` is the primary key. `lock` says that loading takes the row locks (FOR NO KEY UPDATE, in key order).
    A column of type jsonb holds whatever Struct or collection the row's field says.
    """

    name: str
    row: type[Row]
    columns: dict[str, str]
    key: tuple[str, ...]
    lock: bool = False
    frozen_columns: tuple[str, ...] = field(default=())
    """Columns that no update writes, beside the key."""
    index: bool = False
    """The same rows under another unique key: read here, written through the table itself."""

    @cached_property
    def key_of(self) -> Callable[[Row], Key]:
        """Return the primary key of a row; keys have two columns at least, the tenant and another."""
        check(len(self.key) > 1, f"{self.name}: a key begins with the tenant")
        return attrgetter(*self.key)

    async def load(self, connection: Connection, keys: Iterable[Key]) -> list[Row]:
        """Fetch the rows of these primary keys, locked in key order when the table says so; missing ones are left out."""
        return await self.load_by(connection, self.key, keys)

    async def load_by(self, connection: Connection, columns: tuple[str, ...], keys: Iterable[Key]) -> list[Row]:
        """Fetch every row whose `columns` have one of these values, in key order."""
        wanted = sorted(set(keys))
        if not wanted:
            return []
        records = await connection.fetch(self._select(columns), *_columns(wanted, len(columns)))
        return [self.from_record(record) for record in records]

    async def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Write new rows in key order."""
        await write_all(connection, [self.insertion(rows)])

    async def insert_missing(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Write new rows in key order; those that exist stay as they are."""
        await connection.execute(self._insert_missing, *self._arguments(sorted(rows, key=self.key_of), self._fields))

    async def update(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Write the columns of existing rows that may change.

        Raises:
            InvariantViolationError: a row is not there.
        """
        await write_all(connection, [self.updating(rows)])

    def insertion(self, rows: Sequence[Row]) -> Write | Copy:
        """Describe the writing of new rows, in key order."""
        arguments = self._arguments(sorted(rows, key=self.key_of), self._fields)
        if len(rows) < COPY_ROWS:
            return Write(self._insert, arguments)
        return Copy(self.name, self._fields, zip(*arguments, strict=True))

    def updating(self, rows: Sequence[Row]) -> Write:
        """Describe the writing of the columns of existing rows that may change."""
        return Write(self._update, self._arguments(rows, self._written), len(rows), self.name)

    def deletion(self, keys: Iterable[Key]) -> Write:
        """Describe the removal of rows by primary key."""
        return Write(self._delete, _columns(sorted(keys), len(self.key)))

    def from_record(self, record: Iterable[Any]) -> Row:
        """Build a row from the columns of a record, in their order."""
        values = list(record)
        for index, decode in self._decoders:
            if values[index] is not None:
                values[index] = decode(values[index])
        return self.row(*values)

    def selection(self, columns: tuple[str, ...]) -> str:
        """Write what follows SELECT where each row is one record, unlocked, for an array of values of each of `columns`."""
        return f"ROW({', '.join(f't.{name}' for name in self.columns)}) {self._matching(columns)}"

    @property
    def select_list(self) -> str:
        """The column names, for a hand-written SELECT whose records go through `from_record`."""
        return ", ".join(self.columns)

    @cached_property
    def _fields(self) -> tuple[str, ...]:
        names = tuple(info.name for info in msgspec.structs.fields(self.row))
        check(names == tuple(self.columns), f"{self.name}: columns {tuple(self.columns)} but fields {names}")
        return names

    @cached_property
    def _decoders(self) -> list[tuple[int, Callable[[Any], Any]]]:
        types = {info.name: info.type for info in msgspec.structs.fields(self.row)}
        return [
            (index, msgspec.json.Decoder(cast("type", types[name])).decode)
            for index, (name, kind) in enumerate(self.columns.items())
            if kind == _JSON
        ]

    @cached_property
    def _written(self) -> tuple[str, ...]:
        return tuple(name for name in self._fields if name not in self.frozen_columns)

    def _arguments(self, rows: Sequence[Row], names: tuple[str, ...]) -> list[Sequence[Any]]:
        columns = dict(zip(self._fields, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True))
        return [_as_json(columns[name]) if self.columns[name] == _JSON else columns[name] for name in names]

    def _unnest(self, columns: Iterable[str], *, alias: str) -> str:
        names = tuple(columns)
        kinds = ("text" if self.columns[name] == _JSON else self.columns[name] for name in names)
        arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, 1))
        return f"unnest({arrays}) AS {alias}({', '.join(names)})"

    def _read(self, name: str, alias: str) -> str:
        return f"{alias}.{name}::jsonb" if self.columns[name] == _JSON else f"{alias}.{name}"

    def _select(self, columns: tuple[str, ...]) -> str:
        cache = self.__dict__.setdefault("_selects", {})
        if columns not in cache:
            wanted = ", ".join(f"t.{name}" for name in self.columns)
            order = ", ".join(f"t.{name}" for name in self.key)
            lock = " FOR NO KEY UPDATE OF t" if self.lock else ""
            cache[columns] = f"SELECT {wanted} {self._matching(columns)} ORDER BY {order}{lock}"
        return cast("str", cache[columns])

    def _matching(self, columns: tuple[str, ...]) -> str:
        match = " AND ".join(f"t.{name} = k.{name}" for name in columns)
        return f"FROM {self.name} t JOIN {self._unnest(columns, alias='k')} ON {match}"

    @cached_property
    def _insert(self) -> str:
        values = ", ".join(self._read(name, "u") for name in self.columns)
        return f"INSERT INTO {self.name} ({self.select_list}) SELECT {values} FROM {self._unnest(self.columns, alias='u')}"  # noqa: S608

    @cached_property
    def _insert_missing(self) -> str:
        return f"{self._insert} ON CONFLICT DO NOTHING"

    @cached_property
    def _delete(self) -> str:
        match = " AND ".join(f"t.{column} = k.{column}" for column in self.key)
        return f"DELETE FROM {self.name} t USING {self._unnest(self.key, alias='k')} WHERE {match}"  # noqa: S608

    @cached_property
    def _update(self) -> str:
        changes = ", ".join(f"{name} = {self._read(name, 'u')}" for name in self._written if name not in self.key)
        match = " AND ".join(f"t.{name} = u.{name}" for name in self.key)
        return f"UPDATE {self.name} t SET {changes} FROM {self._unnest(self._written, alias='u')} WHERE {match}"  # noqa: S608


def _as_json(values: Iterable[Any]) -> list[str | None]:
    return [None if value is None else msgspec.json.encode(value).decode() for value in values]


def _columns(keys: Sequence[Key], width: int) -> list[list[Any]]:
    return [[key[place] for key in keys] for place in range(width)]

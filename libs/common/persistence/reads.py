"""Reads that are described first and then made together: many tables, one round trip."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from libs.common.persistence.rows import Connection, Key, Table
from libs.common.persistence.writes import shifted


class Read(msgspec.Struct, frozen=True, gc=False):
    """All rows of a table whose `columns` have one of these values. Nothing is locked."""

    table: Table[Any]
    columns: tuple[str, ...]
    keys: Collection[Key]


async def read_all(connection: Connection, reads: Sequence[Read]) -> list[list[Any]]:
    """Return the rows of each read, all of them as one instant sees them."""
    if len(reads) < 2:  # noqa: PLR2004 - alone it is the statement that others use as well
        return [await read.table.load_by(connection, read.columns, read.keys) for read in reads]
    statement = _join(tuple((read.table, read.columns) for read in reads))
    found: list[list[Any]] = [[] for _ in reads]
    for number, record in await connection.fetch(statement, *chain.from_iterable(zip(*read.keys, strict=True) for read in reads)):
        found[number].append(reads[number].table.from_record(record))
    return found


@lru_cache(maxsize=512)
def _join(wanted: tuple[tuple[Table[Any], tuple[str, ...]], ...]) -> str:
    """Make one statement of several; each row says which of them it belongs to, and comes as a record."""
    parts: list[str] = []
    shift = 0
    for number, (table, columns) in enumerate(wanted):
        parts.append(f"SELECT {number}, {shifted(table.selection(columns), shift)}")
        shift += len(columns)
    return " UNION ALL ".join(parts)

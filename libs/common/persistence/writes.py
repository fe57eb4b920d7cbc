"""Writes that are described first and then made together: many tables, one round trip."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.kernel.errors import check

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

COPY_ROWS: Final = 64
"""From how many rows on COPY beats INSERT … SELECT unnest: it has round trips of its own, and costs a third of the CPU a row."""

_PLACE: Final = re.compile(r"\$(\d+)")


class Write(msgspec.Struct, frozen=True, gc=False):
    """A statement that writes one table and returns nothing.

    `rows`: how many it must meet, when that is known; `what` names it then.
    """

    sql: str
    arguments: Sequence[Any]
    rows: int | None = None
    what: str = ""


class Copy(msgspec.Struct, frozen=True, gc=False):
    """Many new rows of one table."""

    table: str
    columns: Sequence[str]
    records: Iterable[Sequence[Any]]


async def write_all(connection: Connection, writes: Iterable[Write | Copy]) -> None:
    """Make writes in their order; neighbours that are no COPY become one statement, in which none sees another's rows.

    Raises:
        InvariantViolationError: one met another number of rows than it must.
        asyncpg.PostgresError: what Postgres says of any of them.
    """
    together: list[Write] = []
    for write in writes:
        if isinstance(write, Write):
            together.append(write)
            continue
        await _execute(connection, together)
        together = []
        await connection.copy_records_to_table(write.table, records=write.records, columns=write.columns)
    await _execute(connection, together)


def shifted(sql: str, by: int) -> str:
    """Let a statement's places begin so much later, for it to be a part of another."""
    return _PLACE.sub(lambda found: f"${int(found[1]) + by}", sql)


async def _execute(connection: Connection, writes: Sequence[Write]) -> None:
    if not writes:
        return
    statement = _join(tuple((write.sql, write.rows is not None) for write in writes))
    met = await connection.fetchrow(statement, *(argument for write in writes for argument in write.arguments))
    counted = [write for write in writes if write.rows is not None]
    for write, rows in zip(counted, met or (), strict=False):
        check(rows == write.rows, f"{write.what}: {rows} rows where {write.rows} are")


@lru_cache(maxsize=512)
def _join(statements: tuple[tuple[str, bool], ...]) -> str:
    """Make one statement of several, as parts of WITH; it returns how many rows each of those met that are counted."""
    parts: list[str] = []
    counts: list[str] = []
    first = count(0)
    shift = 0
    for sql, is_counted in statements:
        name = f"w{next(first)}"
        places = max((int(place) for place in _PLACE.findall(sql)), default=0)
        parts.append(f"{name} AS ({shifted(sql, shift)}{' RETURNING 1' if is_counted else ''})")
        if is_counted:
            counts.append(f"(SELECT count(*) FROM {name})")  # noqa: S608 - names from here
        shift += places
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts) or '1'}"

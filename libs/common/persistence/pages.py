"""Pages of lists, newest first: they read the rows they show and no others, however long the list and however deep the page.

A filter is an index that begins with the tenant and the filtered columns and ends with the order of the list, so that its scan
starts where the page starts. A filter that was left out would break that index in the middle; its column has few values then, and
each of them gets a scan of its own. Postgres merges the scans (Merge Append) and stops all of them when the page is full.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

Scan = Mapping[str, object]
"""Column → the value that all rows of one scan have."""


class Bounds(NamedTuple):
    """Which part of a list is asked for: after the item `cursor` names, from `since` on (inclusive) until `until` (exclusive)."""

    limit: int
    cursor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Listing:
    """A list of a table's rows, sorted by the columns of `order`, all descending: an instant and the id, or the id alone.

    `where` repeats the condition of the partial indexes that serve it; `around` is a statement about the page, in its place `{}`.
    """

    table: str
    columns: str
    order: tuple[str, ...]
    where: str = "true"
    around: str = "{}"

    async def read(self, pool: asyncpg.Pool, tenant: str, scans: Sequence[Scan], bounds: Bounds) -> list[Any] | None:
        """Return the records of a page and one more, which tells that there is more; None when the cursor names nothing.

        The scans must not overlap. Without any the page is empty.
        """
        before = await self._position(pool, tenant, bounds.cursor)
        if before is None:
            return None
        if not scans:
            return []
        statement, arguments = self._statement(tenant, scans, bounds, before)
        return list(await pool.fetch(self.around.format(statement), *arguments))

    async def _position(self, pool: asyncpg.Pool, tenant: str, cursor: str | None) -> tuple[object, ...] | None:
        if cursor is None:
            return ()
        *instants, id_column = self.order
        if not instants:
            return (cursor,)
        found = await pool.fetchrow(
            f"SELECT {instants[0]}, {id_column} FROM {self.table} WHERE tenant = $1 AND id = $2 AND {self.where}",  # noqa: S608 - text from code
            tenant,
            cursor,
        )
        return None if found is None else tuple(found)

    def _statement(
        self, tenant: str, scans: Sequence[Scan], bounds: Bounds, before: tuple[object, ...]
    ) -> tuple[str, list[object]]:
        arguments: list[object] = []

        def place(value: object) -> str:
            if value not in arguments:
                arguments.append(value)
            return f"${arguments.index(value) + 1}"

        common = [f"tenant = {place(tenant)}", self.where]
        if before:
            common.append(f"({', '.join(self.order)}) < ({', '.join(map(place, before))})")
        if bounds.since is not None:
            common.append(f"{self.order[0]} >= {place(bounds.since)}")
        if bounds.until is not None:
            common.append(f"{self.order[0]} < {place(bounds.until)}")
        order = f"ORDER BY {', '.join(f'{column} DESC' for column in self.order)} LIMIT {bounds.limit + 1:d}"
        # Each scan has the order and the limit of its own, without which Postgres would rather read all of them and sort.
        parts = (
            f"(SELECT {self.columns} FROM {self.table} WHERE {' AND '.join((*common, *_equalities(scan, place)))} {order})"  # noqa: S608 - as above
            for scan in scans
        )
        return f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS page {order}", arguments  # noqa: S608 - as above


def _equalities(scan: Scan, place: Callable[[object], str]) -> Iterator[str]:
    return (f"{column} = {place(value)}" for column, value in scan.items())


def every(**choices: Iterable[object]) -> list[Scan]:
    """Make a scan for every combination of one value a column."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def given(**filters: object) -> Scan:
    """Make a scan of the filters that were given: those that are not None."""
    return {column: value for column, value in filters.items() if value is not None}

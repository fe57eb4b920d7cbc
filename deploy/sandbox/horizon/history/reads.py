"""Questions to the kept ledgers. Each is asked as of a ledger, so that a lagging reader sees nothing newer."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.sandbox.horizon.chain.values import total_order
from deploy.sandbox.horizon.history.rows import OPERATION, TRANSACTION, LedgerRow
from deploy.sandbox.horizon.resources.transactions import Body

FEE_LEDGERS: Final = 5
"""How many ledgers back fee statistics look."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of an ordered list: those after (or, going back, before) a place, none newer than a ledger."""

    after: int | None
    limit: int
    is_ascending: bool
    as_of: int

    def bounds(self) -> tuple[int, int]:
        """Return the exclusive lower and upper bound of ids."""
        end = total_order(self.as_of + 1)
        if self.is_ascending:
            return (-1 if self.after is None else self.after), end
        return -1, (end if self.after is None else min(end, self.after))

    @property
    def direction(self) -> str:
        """The direction in SQL."""
        return "ASC" if self.is_ascending else "DESC"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which operations, transactions or effects: of a subject, of a ledger, of a transaction, failed ones too or not."""

    subject: str | None = None
    ledger: int | None = None
    transaction: int | None = None
    operation: int | None = None
    with_failed: bool = False
    only_payments: bool = False


class Reads:
    """A reader of its own on the same file."""

    def __init__(self, path: Path) -> None:
        """Open the file for reading."""
        self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def transaction(self, digest: str, *, as_of: int) -> Body | None:
        """Find a transaction by its hash, or a fee bump by its inner transaction's."""
        end = total_order(as_of + 1)
        found = self._rows(
            "SELECT body FROM transactions WHERE hash = ? AND id < ? UNION ALL"
            " SELECT body FROM transactions WHERE inner_hash = ? AND inner_hash <> '' AND id < ? LIMIT 1",
            (digest, end, digest, end),
        )
        return _body(found[0][0]) if found else None

    def transactions(self, window: Window, filters: Filters) -> list[Body]:
        """List transactions."""
        conditions = [] if filters.with_failed else ["is_successful"]
        return self._page("transactions", TRANSACTION, conditions, window, filters)

    def operations(self, window: Window, filters: Filters) -> list[Body]:
        """List operations."""
        conditions = [] if filters.with_failed else ["is_successful"]
        conditions += ["is_payment"] if filters.only_payments else []
        return self._page("operations", OPERATION, conditions, window, filters)

    def _page(self, table: str, what: int, conditions: list[str], window: Window, filters: Filters) -> list[Body]:
        low, high = _narrow(window, filters)
        source, key, given = f"{table} t", "t.id", [low, high]
        if filters.subject is not None:
            source, key = f"mentions m CROSS JOIN {table} t ON t.id = m.id", "m.id"
            conditions = [*conditions, "m.subject = ?", f"m.what = {what}"]
        where = " AND ".join([f"{key} > ? AND {key} < ?", *conditions])
        rows = self._rows(
            f"SELECT body FROM {source} WHERE {where} ORDER BY {key} {window.direction} LIMIT ?",
            [*given, *(each for each in (filters.subject,) if each is not None), window.limit],
        )
        return [_body(row[0]) for row in rows]

    def operation(self, order: int, *, as_of: int) -> Body | None:
        """Find an operation by its id."""
        rows = self._rows("SELECT body FROM operations WHERE id = ? AND id < ?", (order, total_order(as_of + 1)))
        return _body(rows[0][0]) if rows else None

    def effects(self, window: Window, filters: Filters, *, place: int) -> list[Body]:
        """List effects. The window is of operations; within the one it begins at, `place` says where."""
        low, high = _narrow(replace(window, after=None), filters)
        begin, comparison = (low, ">") if window.is_ascending else (high, "<")
        mine = "" if filters.subject is None else " AND account = ?"
        rows = self._rows(
            f"SELECT body FROM effects WHERE operation > ? AND operation < ? AND (operation, place) {comparison} (?, ?){mine}"
            f" ORDER BY operation {window.direction}, place {window.direction} LIMIT ?",
            [low, high, begin if window.after is None else window.after, place]
            + [each for each in (filters.subject,) if each is not None]
            + [window.limit],
        )
        return [_body(row[0]) for row in rows]

    def ledgers(self, window: Window) -> list[LedgerRow]:
        """List ledgers; the window's places are ids of ledgers."""
        low, high = window.bounds()
        rows = self._rows(
            "SELECT * FROM ledgers WHERE sequence << 32 > ? AND sequence << 32 < ? AND sequence <= ?"
            f" ORDER BY sequence {window.direction} LIMIT ?",
            (low, high, window.as_of, window.limit),
        )
        return [LedgerRow(*row) for row in rows]

    def ledger(self, sequence: int) -> LedgerRow | None:
        """Find a ledger by its number."""
        rows = self._rows("SELECT * FROM ledgers WHERE sequence = ?", (sequence,))
        return LedgerRow(*rows[0]) if rows else None

    def transaction_id(self, digest: str, *, as_of: int) -> int | None:
        """Find a transaction's place by either of its hashes."""
        found = self.transaction(digest, as_of=as_of)
        return None if found is None else int(str(found["paging_token"]))

    def is_known(self, subject: str, *, as_of: int) -> bool:
        """Tell whether anything ever happened to an account or a claimable balance."""
        end = total_order(as_of + 1)
        return bool(self._rows("SELECT 1 FROM mentions WHERE subject = ? AND id < ? LIMIT 1", (subject, end)))

    def fee_rates(self, *, as_of: int) -> list[tuple[int, int]]:
        """Return (charged, bid) an operation of the transactions in the latest ledgers."""
        first, end = total_order(as_of - FEE_LEDGERS + 1), total_order(as_of + 1)
        rows = self._rows("SELECT charged_rate, bid_rate FROM transactions WHERE id > ? AND id < ?", (first, end))
        return [(int(charged), int(bid)) for charged, bid in rows]

    def _rows(self, sql: str, given: Sequence[object]) -> list[Any]:
        return self._database.execute(sql, tuple(given)).fetchall()


def _narrow(window: Window, filters: Filters) -> tuple[int, int]:
    """Narrow a window to one ledger, transaction or operation."""
    low, high = window.bounds()
    if filters.ledger is not None:
        low, high = max(low, total_order(filters.ledger) - 1), min(high, total_order(filters.ledger + 1))
    if filters.transaction is not None:
        low, high = max(low, filters.transaction - 1), min(high, filters.transaction + total_order(0, 1))
    if filters.operation is not None:
        low, high = max(low, filters.operation - 1), min(high, filters.operation + 1)
    return low, high


def _body(raw: bytes) -> Body:
    body: Body = msgspec.json.decode(raw)
    return body

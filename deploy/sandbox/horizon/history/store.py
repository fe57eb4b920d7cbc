"""Keeps ledgers in an SQLite file. A ledger is there whole or not at all, and is on disk before anybody hears of it."""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from deploy.sandbox.horizon.chain.entries import Entry
from deploy.sandbox.horizon.history.rows import Rows

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledgers (
    sequence INTEGER PRIMARY KEY, hash TEXT NOT NULL, header BLOB NOT NULL,
    successful INTEGER NOT NULL, failed INTEGER NOT NULL, operations INTEGER NOT NULL, offered INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS transactions (
    id INTEGER PRIMARY KEY, hash TEXT NOT NULL, inner_hash TEXT NOT NULL, is_successful INTEGER NOT NULL,
    charged_rate INTEGER NOT NULL, bid_rate INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS transactions_hash ON transactions (hash);
CREATE INDEX IF NOT EXISTS transactions_inner_hash ON transactions (inner_hash) WHERE inner_hash <> '';
CREATE TABLE IF NOT EXISTS operations (
    id INTEGER PRIMARY KEY, is_payment INTEGER NOT NULL, is_successful INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_payments ON operations (id) WHERE is_payment;
CREATE TABLE IF NOT EXISTS effects (
    operation INTEGER NOT NULL, place INTEGER NOT NULL, account TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (operation, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS effects_account ON effects (account, operation, place);
CREATE TABLE IF NOT EXISTS mentions (
    subject TEXT NOT NULL, what INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (subject, what, id)
) WITHOUT ROWID;
"""


class StateInUse(RuntimeError):
    """Another process keeps its ledgers in this directory."""


class Store:
    """The one writer of a state directory. What it writes in one thread is written before another closes it."""

    def __init__(self, directory: Path) -> None:
        """Open or make the directory.

        Raises:
            StateInUse: somebody else has it open.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "chain.sqlite"
        self._lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise StateInUse(f"{directory} is in use by another sandbox") from None
        self._writing = threading.Lock()
        self._database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Let the directory go, once the ledger that is being written is whole."""
        with self._writing:
            self._database.close()
            os.close(self._lock)

    def fact(self, name: str) -> str | None:
        """Return something that was noted."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, name: str, value: str) -> None:
        """Note something for the next start."""
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """Forget everything."""
        tables = ("facts", "entries", "ledgers", "transactions", "operations", "effects", "mentions")
        script = "".join(["BEGIN;", *(f"DELETE FROM {table};" for table in tables), "COMMIT;"])
        with self._writing:
            self._database.executescript(script)

    def latest_header(self) -> bytes | None:
        """Return the latest ledger's header; None in an empty directory."""
        row = self._database.execute("SELECT header FROM ledgers ORDER BY sequence DESC LIMIT 1").fetchone()
        return None if row is None else bytes(row[0])

    def entries(self) -> dict[str, Entry]:
        """Return all entries as of the latest ledger."""
        decoder = msgspec.msgpack.Decoder(Entry)
        return {key: decoder.decode(value) for key, value in self._database.execute("SELECT key, value FROM entries")}

    def keep(self, rows: Rows) -> None:
        """Write a ledger and wait until it is on disk."""
        kept = [(key, msgspec.msgpack.encode(entry)) for key, entry in rows.entries.items() if entry is not None]
        gone = [(key,) for key, entry in rows.entries.items() if entry is None]
        with self._writing, self._transaction() as write:
            write.execute("INSERT INTO ledgers VALUES (?, ?, ?, ?, ?, ?, ?)", rows.ledger)
            write.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?)", rows.transactions)
            write.executemany("INSERT INTO operations VALUES (?, ?, ?, ?)", rows.operations)
            write.executemany("INSERT INTO effects VALUES (?, ?, ?, ?)", rows.effects)
            write.executemany("INSERT INTO mentions VALUES (?, ?, ?)", sorted(rows.mentions))
            write.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", kept)
            write.executemany("DELETE FROM entries WHERE key = ?", gone)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

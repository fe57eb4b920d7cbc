"""The signer's log: what was asked of it and what it did, each line hashed with the one before. Its role can only append."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

_LOCK: Final = 0x516E
_LAST: Final = "SELECT position, hash FROM signatures ORDER BY position DESC LIMIT 1"
_APPEND: Final = """
INSERT INTO signatures (position, kind, intent_id, transaction_hash, outcome, reason, signed_at, previous_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_ALL: Final = """
SELECT position, kind, intent_id, transaction_hash, outcome, reason, signed_at, previous_hash, hash FROM signatures
 WHERE position > $1 ORDER BY position LIMIT $2
"""
_PAGE_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: `outcome` is `signed`, or the code of the refusal."""

    kind: str
    intent_id: str
    transaction_hash: str
    outcome: str
    reason: str
    signed_at: datetime


def link(previous: bytes, position: int, entry: Entry) -> bytes:
    """Hash a line with the hash of the one before: SHA-256 over the fields, each with its length."""
    digest = hashlib.sha256(previous)
    moment = entry.signed_at.isoformat(timespec="microseconds")
    for field in (str(position), entry.kind, entry.intent_id, entry.transaction_hash, entry.outcome, entry.reason, moment):
        data = field.encode()
        digest.update(len(data).to_bytes(4) + data)
    return digest.digest()


async def append(pool: asyncpg.Pool, entry: Entry) -> None:
    """Add a line; it is on disk when this returns."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        last = await connection.fetchrow(_LAST)
        position, previous = (last["position"] + 1, last["hash"]) if last else (1, b"")
        row = (entry.kind, entry.intent_id, entry.transaction_hash, entry.outcome, entry.reason, entry.signed_at)
        await connection.execute(_APPEND, position, *row, previous, link(previous, position, entry))


async def first_broken(pool: asyncpg.Pool) -> int | None:
    """Return the position of the first line that does not follow from the one before; None when the log is whole."""
    position, previous = 0, b""
    while records := await pool.fetch(_ALL, position, _PAGE_ROWS):
        for record in records:
            position += 1
            entry = Entry(*list(record)[1:7])
            follows = record["position"] == position and record["previous_hash"] == previous
            if not follows or record["hash"] != link(previous, position, entry):
                return position
            previous = record["hash"]
    return None

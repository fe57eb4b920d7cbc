"""How far each network has been looked through, and by whom: a lease saves work, and the cursor itself keeps two from harm."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.kernel.errors import TransientError
from libs.common.persistence.rows import Connection

_REGISTER: Final = "INSERT INTO scans (network) VALUES ($1) ON CONFLICT DO NOTHING"
_TAKE: Final = """
UPDATE scans SET lease_owner = $2, lease_until = $4
 WHERE network = $1 AND (lease_owner = $2 OR lease_until IS NULL OR lease_until < $3)
RETURNING ledger, hash
"""
_RELEASE: Final = "UPDATE scans SET lease_owner = NULL, lease_until = NULL WHERE network = $1 AND lease_owner = $2"
_BEGIN: Final = "UPDATE scans SET ledger = $2, hash = $3, closed_at = $4 WHERE network = $1 AND ledger IS NULL"
_ADVANCE: Final = "UPDATE scans SET ledger = $4, hash = $5, closed_at = $6 WHERE network = $1 AND ledger = $2 AND hash = $3"
_OLDEST_WALLET: Final = "SELECT min(created_at) FROM wallets WHERE network = $1"
_STANDING: Final = """
SELECT (SELECT min(closed_at) FROM scans), count(*), count(*) FILTER (WHERE reason = 'CLAIMABLE')
  FROM deposits WHERE status = 'SUSPENSE'
"""


class ScanMovedError(TransientError):
    """Another process has been here: read the cursor again."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last ledger that was looked through."""

    ledger: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """It is our turn to look; there is no cursor before the first time."""

    cursor: Cursor | None


async def take(pool: asyncpg.Pool, network: str, owner: str, *, now: datetime, until: datetime) -> Turn | None:
    """Take the network's scan, or go on having it; None while another has it."""
    await pool.execute(_REGISTER, network)
    record = await pool.fetchrow(_TAKE, network, owner, now, until)
    if record is None:
        return None
    return Turn(None if record[0] is None else Cursor(record[0], record[1]))


async def release(pool: asyncpg.Pool, network: str, owner: str) -> None:
    """Let others have it at once."""
    await pool.execute(_RELEASE, network, owner)


async def begin(pool: asyncpg.Pool, network: str, cursor: Cursor, closed_at: datetime) -> None:
    """Say behind which ledger the first scan begins; whoever said so first is right."""
    await pool.execute(_BEGIN, network, cursor.ledger, cursor.hash, closed_at)


async def advance(connection: Connection, network: str, old: Cursor, new: Cursor, closed_at: datetime) -> None:
    """Move the cursor on.

    Raises:
        ScanMovedError: it is not where it was.
    """
    done = await connection.execute(_ADVANCE, network, old.ledger, old.hash, new.ledger, new.hash, closed_at)
    if done != "UPDATE 1":
        raise ScanMovedError(f"the scan of {network} is not at {old.ledger} any more")


async def oldest_wallet(pool: asyncpg.Pool, network: str) -> datetime | None:
    """Return when the network's first wallet was made."""
    made: datetime | None = await pool.fetchval(_OLDEST_WALLET, network)
    return made


async def standing(pool: asyncpg.Pool) -> tuple[datetime | None, int, int]:
    """Return when the ledger closed up to which everything is looked through, and how many deposits wait for a person.

    The last number is how many of them are only offered.
    """
    record = await pool.fetchrow(_STANDING)
    return (None, 0, 0) if record is None else (record[0], record[1], record[2])

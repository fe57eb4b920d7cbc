"""Channels and who works on them: a lease keeps two workers apart, and the slot keeps it harmless when it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.kernel.errors import TransientError
from libs.common.persistence.rows import Connection
from services.payouts.domain.slots import Standing

_REGISTER: Final = "INSERT INTO channels (public_key) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
_KNOWN: Final = "SELECT public_key FROM channels"
_TAKE: Final = """
UPDATE channels c
   SET lease_epoch = c.lease_epoch + CASE WHEN c.lease_owner = $1 THEN 0 ELSE 1 END, lease_owner = $1, lease_until = $3
  FROM (SELECT public_key FROM channels
         WHERE NOT is_quarantined AND public_key = ANY($4::text[])
           AND (lease_owner = $1 OR lease_until IS NULL OR lease_until < $2)
         ORDER BY public_key LIMIT $5 FOR NO KEY UPDATE SKIP LOCKED) AS free
 WHERE c.public_key = free.public_key
RETURNING c.public_key, c.lease_epoch, c.next_sequence
"""
_HOLD: Final = """
SELECT next_sequence FROM channels
 WHERE public_key = $1 AND lease_owner = $2 AND lease_epoch = $3 AND NOT is_quarantined FOR NO KEY UPDATE
"""
_STANDINGS: Final = """
SELECT public_key, next_sequence, EXISTS (SELECT FROM slots WHERE channel = public_key AND state = 'OPEN'), is_quarantined
  FROM channels
"""
_RELEASE: Final = "UPDATE channels SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1"
_QUARANTINE: Final = "UPDATE channels SET is_quarantined = true, reason = $2 WHERE public_key = $1"
_QUARANTINED: Final = "SELECT next_sequence FROM channels WHERE public_key = $1 AND is_quarantined FOR NO KEY UPDATE"
_LIFT: Final = "UPDATE channels SET is_quarantined = false, reason = NULL, next_sequence = $2 WHERE public_key = $1"
_BEGIN_AT: Final = "UPDATE channels SET next_sequence = $2 WHERE public_key = $1"


_STANDING: Final = """
SELECT (SELECT min(opened_at) FROM slots WHERE state = 'OPEN'), (SELECT count(*) FROM channels WHERE is_quarantined)
"""


class LeaseLostError(TransientError):
    """Another worker has the channel now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A channel that is ours until the lease ends; `epoch` grows with each new holder, and writes of an older one are refused."""

    channel: str
    owner: str
    epoch: int
    next_sequence: int | None
    """None before the chain was asked."""


async def register(pool: asyncpg.Pool, public_keys: Sequence[str]) -> None:
    """Make channels known; those that are known stay as they are."""
    await pool.execute(_REGISTER, public_keys)


async def known(pool: asyncpg.Pool) -> frozenset[str]:
    """Name the channels that are known."""
    return frozenset(record[0] for record in await pool.fetch(_KNOWN))


async def standings(connection: Connection) -> list[Standing]:
    """Tell where every channel was left."""
    return [Standing(*record) for record in await connection.fetch(_STANDINGS)]


async def take(
    pool: asyncpg.Pool, owner: str, public_keys: Sequence[str], *, now: datetime, until: datetime, limit: int
) -> list[Lease]:
    """Take so many of the channels that are free, or keep those that are the owner's already."""
    if not public_keys or not limit:
        return []
    records = await pool.fetch(_TAKE, owner, now, until, public_keys, limit)
    return [Lease(record[0], owner, record[1], record[2]) for record in records]


async def release(pool: asyncpg.Pool, owner: str) -> None:
    """Let others have the owner's channels at once."""
    await pool.execute(_RELEASE, owner)


async def standing(pool: asyncpg.Pool) -> tuple[datetime | None, int]:
    """Return since when the oldest slot is open, and how many channels wait for a person."""
    record = await pool.fetchrow(_STANDING)
    return (None, 0) if record is None else (record[0], record[1])


async def hold(connection: Connection, lease: Lease) -> int | None:
    """Lock the channel for a transaction, and return its next sequence number.

    Raises:
        LeaseLostError: it has another holder, or is quarantined.
    """
    record = await connection.fetchrow(_HOLD, lease.channel, lease.owner, lease.epoch)
    if record is None:
        raise LeaseLostError(f"{lease.channel} is not ours any more")
    number: int | None = record[0]
    return number


async def begin_at(connection: Connection, channel: str, sequence: int) -> None:
    """Say which sequence number is the next."""
    await connection.execute(_BEGIN_AT, channel, sequence)


async def quarantine(connection: Connection, channel: str, reason: str) -> None:
    """Stop using a channel until a person has looked."""
    await connection.execute(_QUARANTINE, channel, reason)


async def lock_quarantined(connection: Connection, channel: str) -> int:
    """Lock a quarantined channel, and return from which sequence number on nothing is known of it.

    Raises:
        LookupError: there is no such channel, or it is not quarantined.
    """
    record = await connection.fetchrow(_QUARANTINED, channel)
    if record is None:
        raise LookupError(channel)
    return int(record[0] or 0)


async def lift(connection: Connection, channel: str, sequence: int) -> None:
    """Use a channel again, from this sequence number on."""
    await connection.execute(_LIFT, channel, sequence)

"""Every envelope that was made for a slot: stored before it is signed, signed before it is submitted, and never erased."""

from datetime import datetime
from typing import Final

from libs.common.persistence.rows import Connection
from services.payouts.domain.envelopes import Bounds, Built
from services.payouts.domain.slots import Envelope, Told

_OF_SLOT: Final = """
SELECT hash, inner_hash, generation, kind, places, bid, max_ledger, signed_xdr IS NOT NULL, told, first_ledger, last_ledger
  FROM envelopes WHERE channel = $1 AND sequence = $2 ORDER BY generation, bid, created_at
"""
_ADD: Final = """
INSERT INTO envelopes
  (hash, inner_hash, channel, sequence, generation, kind, places, bid, fee, max_ledger, max_time, xdr, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (hash) DO NOTHING
"""
_SIGNED: Final = "UPDATE envelopes SET signed_xdr = $2 WHERE hash = $1"
_XDR: Final = "SELECT xdr, signed_xdr, max_ledger, max_time FROM envelopes WHERE hash = $1"
_TOLD: Final = """
UPDATE envelopes SET told = $2, last_ledger = $3, first_ledger = CASE WHEN first_ledger = 0 THEN $3 ELSE first_ledger END
 WHERE hash = $1
"""


async def of_slot(connection: Connection, channel: str, sequence: int) -> tuple[Envelope, ...]:
    """Return all that were made for a slot, oldest first."""
    records = await connection.fetch(_OF_SLOT, channel, sequence)
    return tuple(
        Envelope(
            hash=record[0],
            inner_hash=record[1],
            generation=record[2],
            kind=record[3],
            places=frozenset(record[4]),
            bid=record[5],
            max_ledger=record[6],
            is_signed=record[7],
            told=None if record[8] is None else Told(record[8]),
            first_ledger=record[9],
            last_ledger=record[10],
        )
        for record in records
    )


async def add(
    connection: Connection, channel: str, sequence: int, envelope: Envelope, built: Built, *, bounds: Bounds, now: datetime
) -> None:
    """Store an envelope, not signed yet; one that is there stays."""
    await connection.execute(
        _ADD,
        envelope.hash,
        envelope.inner_hash,
        channel,
        sequence,
        envelope.generation,
        envelope.kind,
        sorted(envelope.places),
        envelope.bid,
        built.fee,
        bounds.max_ledger,
        bounds.max_time,
        built.xdr,
        now,
    )


async def texts(connection: Connection, envelope_hash: str) -> tuple[str, str | None, Bounds]:
    """Return an envelope's XDR without and, when it has them, with its signatures, and until when it is good."""
    record = await connection.fetchrow(_XDR, envelope_hash)
    if record is None:
        raise LookupError(envelope_hash)
    return record[0], record[1], Bounds(record[2], record[3])


async def keep_signed(connection: Connection, envelope_hash: str, signed: str) -> None:
    """Store the signatures."""
    await connection.execute(_SIGNED, envelope_hash, signed)


async def keep_told(connection: Connection, envelope_hash: str, told: Told, *, ledger: int) -> None:
    """Store what was said to a submission, and as of which ledger."""
    await connection.execute(_TOLD, envelope_hash, told, ledger)

"""The chain of batches: one link a transaction, over its journals and its refusals."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from libs.common.kernel.errors import Refusal
from libs.common.messaging.batch import Decided
from libs.common.persistence.rows import Connection
from services.ledger.store.rows import JournalRow

# The head is one row; locking it last keeps the chain's critical section to one statement and the COMMIT.
_SEAL: Final = """
WITH head AS (
    UPDATE batch_head SET number = number + 1, hash = sha256(hash || $2), prev_hash = hash
    RETURNING number, prev_hash, hash
), refused AS (
    INSERT INTO refusals (batch_id, tenant, message_id, type, code, digest)
    SELECT $1, tenant, message_id, type, code, digest
      FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[]) AS u(tenant, message_id, type, code, digest)
)
INSERT INTO batches (number, id, content, journals, prev_hash, hash)
SELECT number, $1, $2, $3, prev_hash, hash FROM head
"""


async def seal(connection: Connection, batch_id: str, decided: Sequence[Decided]) -> None:
    """Chain what a batch recorded and refused; hash = SHA-256(previous hash + content).

    The content is SHA-256 over the digests of its journals, then of its refusals, each group in order of (tenant, id).
    """
    journals: list[tuple[str, str, bytes]] = []
    refusals: list[tuple[str, str, str, str, bytes]] = []
    for item in decided:
        envelope, reply = item.work.envelope, item.decision.reply
        if isinstance(reply, Refusal):
            digest = hashlib.sha256(msgspec.json.encode([envelope.id, envelope.type, reply.code])).digest()
            refusals.append((envelope.tenant, envelope.id, envelope.type, reply.code, digest))
        elif item.decision.rows and isinstance(journal := item.decision.rows[0][1], JournalRow):
            journals.append((journal.tenant, journal.id, journal.digest))
    if not journals and not refusals:
        return
    digests = [row[2] for row in sorted(journals)] + [row[4] for row in sorted(refusals)]
    content = hashlib.sha256(b"".join(digests)).digest()
    columns = [[row[place] for row in refusals] for place in range(5)]
    await connection.execute(_SEAL, batch_id, content, len(journals), *columns)

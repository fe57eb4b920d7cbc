"""The inbox: which messages were handled, and what was answered. One table in every service's schema."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.rows import Connection

PENDING: Final = "pending"
ANSWERED: Final = "answered"

_CLAIM: Final = """
INSERT INTO inbox (tenant, message_id, type, reply_to, reference, state, received_at)
SELECT tenant, message_id, type, reply_to, reference, 'claimed', $6
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u(tenant, message_id, type, reply_to, reference)
ON CONFLICT DO NOTHING
RETURNING tenant, message_id
"""

# A duplicate of a pending message takes over its reply address: the caller who asked last is the one still there.
_MEET: Final = """
UPDATE inbox i
   SET reply_to = CASE WHEN i.state = 'pending' AND u.reply_to <> '' THEN u.reply_to ELSE i.reply_to END
  FROM unnest($1::text[], $2::text[], $3::text[]) AS u(tenant, message_id, reply_to)
 WHERE i.tenant = u.tenant AND i.message_id = u.message_id
RETURNING i.tenant, i.message_id, i.state, i.reply
"""

_ANSWER: Final = """
UPDATE inbox i SET state = u.state, reply = u.reply
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS u(tenant, message_id, state, reply)
 WHERE i.tenant = u.tenant AND i.message_id = u.message_id
RETURNING i.tenant, i.message_id, i.reply_to, i.reference
"""

_FORGET: Final = """
DELETE FROM inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM inbox WHERE received_at < $1 AND state <> 'pending' LIMIT $2 FOR UPDATE SKIP LOCKED))
"""

MessageKey = tuple[str, str]


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A message that asks to be handled once."""

    tenant: str
    message_id: str
    type: str
    reply_to: str
    reference: str


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a message ended: with a reply (may be empty when nobody asks) or pending."""

    tenant: str
    message_id: str
    state: str
    reply: bytes | None


async def claim(connection: Connection, claims: Sequence[Claim], now: datetime) -> set[MessageKey]:
    """Enter messages into the inbox and return the keys of those never seen before."""
    ordered = sorted(claims, key=lambda claim: (claim.tenant, claim.message_id))
    columns = [[getattr(item, name) for item in ordered] for name in ("tenant", "message_id", "type", "reply_to", "reference")]
    return {(record[0], record[1]) for record in await connection.fetch(_CLAIM, *columns, now)}


async def meet_again(connection: Connection, duplicates: Sequence[Claim]) -> dict[MessageKey, tuple[str, bytes | None]]:
    """Return (state, stored reply) of messages seen before; a pending one now answers to the new address."""
    ordered = sorted({(item.tenant, item.message_id): item.reply_to for item in duplicates}.items())
    columns = [[key[0] for key, _ in ordered], [key[1] for key, _ in ordered], [address for _, address in ordered]]
    return {(record[0], record[1]): (record[2], record[3]) for record in await connection.fetch(_MEET, *columns)}


async def answer(connection: Connection, outcomes: Sequence[Outcome]) -> dict[MessageKey, tuple[str, str]]:
    """Store how messages ended and return each one's (reply address, reference)."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.tenant, outcome.message_id))
    columns = [[getattr(item, name) for item in ordered] for name in ("tenant", "message_id", "state", "reply")]
    return {(record[0], record[1]): (record[2], record[3]) for record in await connection.fetch(_ANSWER, *columns)}


async def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` finished messages received before an instant; return how many."""
    status: str = await connection.execute(_FORGET, before, limit)
    return int(status.rsplit(" ", 1)[1])

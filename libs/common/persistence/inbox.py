"""The inbox: which messages were handled, and what was answered. One table in every service's schema."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from libs.common.persistence.writes import COPY_ROWS, Connection, Copy, Write

PENDING: Final = "pending"
ANSWERED: Final = "answered"

_KNOWN: Final = """
SELECT i.tenant, i.message_id
  FROM inbox i JOIN unnest($1::text[], $2::text[]) AS u(tenant, message_id) USING (tenant, message_id)
"""
_COLUMNS: Final = ("tenant", "message_id", "type", "reply_to", "reference", "state", "reply", "received_at")
_ENTER: Final = """
INSERT INTO inbox (tenant, message_id, type, reply_to, reference, state, reply, received_at)
SELECT tenant, message_id, type, reply_to, reference, state, reply, $8::timestamptz
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
    AS u(tenant, message_id, type, reply_to, reference, state, reply)
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


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message and how it ended: with a reply (None when nobody asks) or pending."""

    tenant: str
    message_id: str
    type: str
    reply_to: str
    reference: str
    state: str
    reply: bytes | None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a message ended that an earlier batch left pending."""

    tenant: str
    message_id: str
    state: str
    reply: bytes | None


async def known(connection: Connection, keys: Collection[MessageKey]) -> set[MessageKey]:
    """Return the keys of those messages that were handled before."""
    tenants, ids = zip(*keys, strict=True)
    return {(record[0], record[1]) for record in await connection.fetch(_KNOWN, tenants, ids)}


def entering(entries: Sequence[Entry], now: datetime) -> Write | Copy:
    """Describe the writing down of messages that were handled.

    A unique violation then says that one of them was handled before; the transaction must run again, and look first.
    """
    rows = sorted((*msgspec.structs.astuple(entry), now) for entry in entries)
    if len(rows) < COPY_ROWS:
        return Write(_ENTER, (*list(zip(*rows, strict=True))[:-1], now))
    return Copy("inbox", _COLUMNS, rows)


async def meet_again(connection: Connection, addresses: Mapping[MessageKey, str]) -> dict[MessageKey, tuple[str, bytes | None]]:
    """Return (state, stored reply) of messages seen before; a pending one now answers to the new address."""
    ordered = sorted(addresses.items())
    columns = [[key[0] for key, _ in ordered], [key[1] for key, _ in ordered], [address for _, address in ordered]]
    return {(record[0], record[1]): (record[2], record[3]) for record in await connection.fetch(_MEET, *columns)}


async def answer(connection: Connection, outcomes: Sequence[Outcome]) -> dict[MessageKey, tuple[str, str]]:
    """Store how pending messages ended and return each one's (reply address, reference)."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.tenant, outcome.message_id))
    columns = [[getattr(item, name) for item in ordered] for name in ("tenant", "message_id", "state", "reply")]
    return {(record[0], record[1]): (record[2], record[3]) for record in await connection.fetch(_ANSWER, *columns)}


async def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` finished messages received before an instant; return how many."""
    status: str = await connection.execute(_FORGET, before, limit)
    return int(status.rsplit(" ", 1)[1])

"""The outbox: what a transaction decided to publish, kept until the broker has confirmed it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from libs.common.persistence.writes import COPY_ROWS, Connection, Copy, Write, write_all

GRACE: Final = timedelta(seconds=5)
"""How long the writer has to publish by itself before the relay takes a row."""

_COLUMNS: Final = ("id", "exchange", "routing_key", "body", "publish_after")
_APPEND: Final = """
INSERT INTO outbox (id, exchange, routing_key, body, publish_after)
SELECT id, exchange, routing_key, body, $5::timestamptz
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) AS u(id, exchange, routing_key, body)
"""
_DUE: Final = """
SELECT id, exchange, routing_key, body FROM outbox WHERE publish_after <= $1
 ORDER BY publish_after, id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_REMOVE: Final = "DELETE FROM outbox WHERE id = ANY($1::text[])"
_OLDEST: Final = "SELECT min(publish_after) FROM outbox"


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """An encoded envelope on its way to an exchange; `id` is unique in the outbox."""

    id: str
    exchange: str
    routing_key: str
    body: bytes


def appending(messages: Sequence[Outgoing], now: datetime) -> Write | Copy:
    """Describe the keeping of messages until they are published; the relay may take them after the grace."""
    due = now + GRACE
    if len(messages) < COPY_ROWS:
        return Write(_APPEND, [*([getattr(message, name) for message in messages] for name in _COLUMNS[:-1]), due])
    return Copy(
        "outbox", _COLUMNS, [(message.id, message.exchange, message.routing_key, message.body, due) for message in messages]
    )


async def append(connection: Connection, messages: Sequence[Outgoing], now: datetime) -> None:
    """Keep messages until they are published."""
    await write_all(connection, [appending(messages, now)])


async def lock_due(connection: Connection, *, now: datetime, limit: int) -> list[Outgoing]:
    """Take the messages that are due and that no other relay holds, oldest first; the locks last for the transaction."""
    return [Outgoing(*record) for record in await connection.fetch(_DUE, now, limit)]


async def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Forget messages that the broker has confirmed."""
    await connection.execute(_REMOVE, ids)


async def oldest(connection: Connection) -> datetime | None:
    """Return when the oldest message was written, or None when all are published."""
    due: datetime | None = await connection.fetchval(_OLDEST)
    return None if due is None else due - GRACE

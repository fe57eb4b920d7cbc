"""Slots and the payments in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection
from services.payouts.domain.envelopes import Payment
from services.payouts.domain.slot_outcomes import SUCCESS, Applied, Item, Outcome, SlotState
from services.payouts.domain.slots import BATCH_MAX, OWN_MAX

_OPEN_SLOT: Final = "SELECT sequence, currency FROM slots WHERE channel = $1 AND state = 'OPEN'"
_ITEMS: Final = """
SELECT i.place, i.tenant, i.withdrawal_id, w.cancel_requested, w.address, w.amount, w.memo_type, w.memo, i.source
  FROM slot_items i JOIN withdrawals w ON w.tenant = i.tenant AND w.id = i.withdrawal_id
 WHERE i.channel = $1 AND i.sequence = $2 ORDER BY i.place
"""
_LOCK_ITEMS: Final = """
SELECT w.id FROM withdrawals w JOIN slot_items i ON w.tenant = i.tenant AND w.id = i.withdrawal_id
 WHERE i.channel = $1 AND i.sequence = $2 ORDER BY w.tenant, w.id FOR NO KEY UPDATE OF w
"""
# A payment with a memo goes alone, since a memo is its transaction's; and a slot pays one asset. Those that are known to be good
# go together: among others they would fail again with each bad one. While a channel is quarantined nothing is begun on any: what
# it has paid and this database has forgotten may wait here.
_FIRST: Final = """
SELECT currency, memo IS NOT NULL, tenant, id, is_proven FROM withdrawals
 WHERE waiting_from <= $1 AND currency NOT IN (SELECT currency FROM asset_pauses)
   AND NOT EXISTS (SELECT FROM channels WHERE is_quarantined)
 ORDER BY waiting_from, tenant, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""
_MORE: Final = """
SELECT tenant, id FROM withdrawals WHERE waiting_from <= $1 AND currency = $2 AND memo IS NULL AND is_proven = $3
 ORDER BY waiting_from, tenant, id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
"""
_OPEN: Final = "INSERT INTO slots (channel, sequence, currency, state, opened_at) VALUES ($1, $2, $3, 'OPEN', $4)"
_PUT: Final = """
INSERT INTO slot_items (channel, sequence, place, tenant, withdrawal_id, state, source)
SELECT $1, $2, place - 1, tenant, id, 'OPEN', source
  FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS u(tenant, id, source, place)
"""
_SEND: Final = """
UPDATE withdrawals w SET status = 'PROCESSING', waiting_from = NULL, version = w.version + 1, updated_at = $3
  FROM unnest($1::text[], $2::text[]) AS u(tenant, id) WHERE w.tenant = u.tenant AND w.id = u.id
"""
_CLOSE: Final = """
UPDATE slots SET state = $3, closed_at = $4, transaction_hash = $5, transaction_ledger = $6
 WHERE channel = $1 AND sequence = $2 AND state = 'OPEN'
"""
_END_ITEMS: Final = """
UPDATE slot_items i SET state = u.state, code = u.code
  FROM unnest($3::integer[], $4::text[], $5::text[]) AS u(place, state, code)
 WHERE i.channel = $1 AND i.sequence = $2 AND i.place = u.place
"""
# Who failed for another's sake goes before all that came later: they would wait for ledgers behind what fills the channels.
_AGAIN: Final = """
UPDATE withdrawals w
   SET waiting_from = CASE WHEN u.seconds = 0 THEN w.created_at ELSE $4::timestamptz + make_interval(secs => u.seconds) END,
       is_proven = w.is_proven OR u.is_proven, version = w.version + 1, updated_at = $4
  FROM unnest($1::text[], $2::text[], $3::integer[], $5::boolean[]) AS u(tenant, id, seconds, is_proven)
 WHERE w.tenant = u.tenant AND w.id = u.id
"""


_OWN_ACCOUNTS: Final = """
SELECT w.tenant, w.id, a.public_key, w.currency, w.amount
  FROM (SELECT tenant, id, user_id, currency, amount, waiting_from FROM withdrawals
         WHERE waiting_from <= $1 ORDER BY waiting_from, tenant, id LIMIT $2) AS w
  JOIN wallets a ON a.tenant = w.tenant AND a.user_id = w.user_id
 WHERE EXISTS (SELECT FROM deposits d WHERE d.tenant = w.tenant AND d.user_id = w.user_id AND d.account = a.public_key)
   AND NOT EXISTS (SELECT FROM sweeps s WHERE s.network = a.network AND s.account = a.public_key AND s.state = 'open')
 ORDER BY w.waiting_from, w.tenant, w.id LIMIT $3
"""
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The account of a user who waits to be paid."""

    tenant: str
    withdrawal_id: str
    account: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A slot that nothing is known to have taken."""

    sequence: int
    currency: str
    items: tuple[Item, ...]
    payments: tuple[Payment, ...]
    """By place, like the items."""


async def open_slot(connection: Connection, channel: str) -> OpenSlot | None:
    """Return a channel's open slot: it has at most one."""
    record = await connection.fetchrow(_OPEN_SLOT, channel)
    if record is None:
        return None
    rows = await connection.fetch(_ITEMS, channel, record[0])
    items = tuple(Item(*row[:4]) for row in map(tuple, rows))
    return OpenSlot(record[0], record[1], items, tuple(Payment(*row[4:]) for row in map(tuple, rows)))


async def lock_items(connection: Connection, channel: str, sequence: int) -> None:
    """Lock the withdrawals of a slot in the order in which everybody does."""
    await connection.fetch(_LOCK_ITEMS, channel, sequence)


async def own_accounts(pool: asyncpg.Pool, now: datetime) -> list[OwnAccount]:
    """Name the accounts of users who wait to be paid, where something came in."""
    return [OwnAccount(*record) for record in await pool.fetch(_OWN_ACCOUNTS, now, BATCH_MAX, OWN_MAX)]


async def assign(connection: Connection, channel: str, sequence: int, now: datetime, sources: Mapping[Key, str]) -> int:
    """Open a slot with what waits, oldest first, and return how many payments are in it: 0 opens none.

    `sources` are the accounts that pay; where there is none the treasury does.
    """
    first = await connection.fetchrow(_FIRST, now)
    if first is None:
        return 0
    chosen = [(first[2], first[3])]
    if not first[1]:
        chosen = [tuple(row) for row in await connection.fetch(_MORE, now, first[0], first[4], BATCH_MAX)]
    await put(connection, channel, sequence, first[0], {key: sources.get(key) for key in chosen}, now)
    return len(chosen)


async def put(
    connection: Connection, channel: str, sequence: int, currency: str, paying: Mapping[Key, str | None], now: datetime
) -> None:
    """Open a slot with these withdrawals, each paid by its account or, where there is none, by the treasury."""
    tenants, ids = [key[0] for key in paying], [key[1] for key in paying]
    await connection.execute(_OPEN, channel, sequence, currency, now)
    await connection.execute(_PUT, channel, sequence, tenants, ids, list(paying.values()))
    await connection.execute(_SEND, tenants, ids, now)


async def close(
    connection: Connection,
    channel: str,
    sequence: int,
    state: SlotState,
    applied: Applied,
    ended: Sequence[Outcome],
    *,
    now: datetime,
) -> bool:
    """Record what came of a slot and its payments; those without an end wait for another one. False: it was closed before."""
    done = await connection.execute(_CLOSE, channel, sequence, state, now, applied.hash, applied.ledger)
    if done != "UPDATE 1":
        return False
    places = [outcome.item.place for outcome in ended]
    states = [outcome.ending or "AGAIN" for outcome in ended]
    await connection.execute(_END_ITEMS, channel, sequence, places, states, [outcome.code for outcome in ended])
    again = [outcome for outcome in ended if outcome.ending is None]
    await connection.execute(
        _AGAIN,
        [outcome.item.tenant for outcome in again],
        [outcome.item.withdrawal_id for outcome in again],
        [outcome.wait_seconds for outcome in again],
        now,
        [outcome.code == SUCCESS for outcome in again],
    )
    return True

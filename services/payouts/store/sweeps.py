"""Sweeps: at most one of an account is open, whoever drives it, and it stands here before anything of it is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.payouts.domain.sweeps import Sweep

_REGISTER: Final = "INSERT INTO sweep_rounds (network, begun_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_IS_DUE: Final = """
SELECT EXISTS (SELECT FROM sweeps WHERE network = $1 AND state = 'open')
    OR EXISTS (SELECT FROM sweep_rounds WHERE network = $1 AND begun_at <= $2)
   AND EXISTS (SELECT FROM deposits WHERE network = $1)
"""
_BEGIN: Final = "UPDATE sweep_rounds SET begun_at = $2 WHERE network = $1 AND begun_at <= $3"
_OPEN: Final = """
SELECT id, account, sequence, usd, xlm, inner_hash, hashes, envelope, bump_hash, bump_envelope, bid, max_time FROM sweeps
 WHERE network = $1 AND state = 'open' ORDER BY created_at, id
"""
# Whose withdrawal is under way may be paid from the account: it is left alone, and swept another time.
_ADD: Final = """
INSERT INTO sweeps (id, network, tenant, wallet_id, account, sequence, usd, xlm, inner_hash, hashes, envelope, bid, max_time,
                    state, outcome, created_at)
SELECT u.id, w.network, w.tenant, w.id, u.account, u.sequence, u.usd, u.xlm, u.hash, ARRAY[u.hash], u.envelope, u.bid, u.max_time,
       'open', '', $2
  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::bigint[],
              $11::bigint[]) AS u(id, account, sequence, usd, xlm, hash, envelope, bid, max_time)
  JOIN wallets w ON w.public_key = u.account AND w.network = $1
 WHERE NOT EXISTS (
           SELECT FROM withdrawals_in_flight f JOIN withdrawals d ON d.tenant = f.tenant AND d.id = f.withdrawal_id
            WHERE f.tenant = w.tenant AND f.user_id = w.user_id AND d.status IN ('PENDING', 'PROCESSING'))
   AND NOT EXISTS (SELECT FROM slot_items i WHERE i.source = u.account AND i.state = 'OPEN')
ON CONFLICT DO NOTHING
"""
# Whoever builds again on news of an older envelope changes nothing.
_REBUILT: Final = """
UPDATE sweeps
   SET inner_hash = $3, hashes = hashes || $3, envelope = $4, bid = $5, max_time = $6, bump_hash = '', bump_envelope = ''
 WHERE id = $1 AND inner_hash = $2 AND state = 'open'
"""
_WRAPPED: Final = "UPDATE sweeps SET bump_hash = $3, bump_envelope = $4 WHERE id = $1 AND inner_hash = $2 AND state = 'open'"
_CLOSE: Final = "UPDATE sweeps SET state = $2, outcome = $3, transaction_hash = $4 WHERE id = $1 AND state = 'open'"


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Where sweeps of one network are written."""

    pool: asyncpg.Pool
    network: str

    async def is_due(self, now: datetime, last: datetime) -> bool:
        """Tell whether something is under way, or the last round began before `last`; what was never asked for begins now."""
        await self.pool.execute(_REGISTER, self.network, now)
        return bool(await self.pool.fetchval(_IS_DUE, self.network, last))

    async def begin_round(self, now: datetime, last: datetime) -> bool:
        """Take the next round if none began after `last`."""
        return await self.pool.execute(_BEGIN, self.network, now, last) == "UPDATE 1"

    async def open(self) -> list[Sweep]:
        """Return those that are under way, oldest first."""
        found = await self.pool.fetch(_OPEN, self.network)
        return [Sweep(**{**dict(record), "hashes": frozenset(record["hashes"])}) for record in found]

    async def add(self, made: Sequence[Sweep], now: datetime) -> None:
        """Store new ones, but of users with a withdrawal under way, and of accounts with a sweep."""
        rows = [
            (each.id, each.account, each.sequence, each.usd, each.xlm, each.inner_hash, each.envelope, each.bid, each.max_time)
            for each in made
        ]
        if rows:
            await self.pool.execute(_ADD, self.network, now, *map(list, zip(*rows, strict=True)))

    async def rebuilt(self, made: Sweep, *, instead_of: str) -> None:
        """Store what was built again for the same sequence number."""
        await self.pool.execute(_REBUILT, made.id, instead_of, made.inner_hash, made.envelope, made.bid, made.max_time)

    async def wrapped(self, made: Sweep) -> None:
        """Store the fee bump, before the sponsor signs it."""
        await self.pool.execute(_WRAPPED, made.id, made.inner_hash, made.bump_hash, made.bump_envelope)

    async def close(self, sweep: Sweep, outcome: str, transaction_hash: str) -> None:
        """Record what came of it; without an outcome it is done."""
        await self.pool.execute(_CLOSE, sweep.id, "failed" if outcome else "done", outcome, transaction_hash)

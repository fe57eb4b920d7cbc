"""Transactions that make accounts: at most one is open, whoever drives it, and it stands here before it is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection
from services.payouts.domain.account_making import ChainState, Creation, Wallet

_IS_DUE: Final = """
SELECT EXISTS (SELECT FROM wallets WHERE network = $1 AND chain_state IN ('WAITING', 'EXISTS'))
    OR EXISTS (SELECT FROM creations WHERE network = $1 AND state = 'open')
"""
_WAITING: Final = """
SELECT tenant, id, public_key, chain_state = 'EXISTS' FROM wallets
 WHERE network = $1 AND chain_state IN ('WAITING', 'EXISTS') ORDER BY created_at LIMIT $2
"""
_OPEN: Final = """
SELECT c.id, c.source, c.sequence, c.own_accounts, c.existing, c.transaction_hash, c.hashes, c.envelope, c.fee_max, c.max_time,
       n.tenant, n.wallet_id, w.public_key
  FROM creations c
  LEFT JOIN LATERAL unnest(c.tenants, c.wallet_ids) WITH ORDINALITY AS n(tenant, wallet_id, place) ON true
  LEFT JOIN wallets w ON w.tenant = n.tenant AND w.id = n.wallet_id
 WHERE c.network = $1 AND c.source = $2 AND c.state = 'open' ORDER BY n.place
"""
_ADD: Final = """
INSERT INTO creations (id, network, source, sequence, tenants, wallet_ids, own_accounts, existing,
                       transaction_hash, hashes, envelope, fee_max, max_time, state, outcome, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, ARRAY[$9], $10, $11, $12, 'open', '', $13)
ON CONFLICT DO NOTHING
"""
# Whoever builds again on news of an older envelope changes nothing.
_REBUILT: Final = """
UPDATE creations SET transaction_hash = $3, hashes = hashes || $3, envelope = $4, fee_max = $5, max_time = $6
 WHERE id = $1 AND transaction_hash = $2 AND state = 'open'
"""
_CLOSE: Final = "UPDATE creations SET state = $2, outcome = $3 WHERE id = $1 AND state = 'open'"
_STAND: Final = """
UPDATE wallets w SET chain_state = u.state FROM unnest($1::text[], $2::text[], $3::text[]) AS u(tenant, id, state)
 WHERE w.tenant = u.tenant AND w.id = u.id
"""


@dataclass(frozen=True, slots=True)
class Creations:
    """Where creations of one network are written."""

    pool: asyncpg.Pool
    network: str

    async def is_due(self) -> bool:
        """Tell whether an account waits, or a transaction is open."""
        return bool(await self.pool.fetchval(_IS_DUE, self.network))

    async def waiting(self, limit: int) -> list[Wallet]:
        """Name the wallets that have waited longest."""
        return [Wallet(*record) for record in await self.pool.fetch(_WAITING, self.network, limit)]

    async def open(self, source: str) -> Creation | None:
        """Return the transaction that is open."""
        records = await self.pool.fetch(_OPEN, self.network, source)
        if not records:
            return None
        [head, *_] = records
        existing = frozenset(head["existing"])
        wallets = [
            Wallet(record["tenant"], record["wallet_id"], record["public_key"], record["public_key"] in existing)
            for record in records
            if record["wallet_id"] is not None
        ]
        return Creation(
            id=head["id"],
            source=head["source"],
            sequence=head["sequence"],
            wallets=tuple(wallets),
            own_accounts=tuple(head["own_accounts"]),
            existing=existing,
            transaction_hash=head["transaction_hash"],
            hashes=frozenset(head["hashes"]),
            envelope=head["envelope"],
            fee_max=head["fee_max"],
            max_time=head["max_time"],
        )

    async def add(self, made: Creation, now: datetime) -> None:
        """Store a new one, unless one is open."""
        await self.pool.execute(
            _ADD,
            *(made.id, self.network, made.source, made.sequence),
            *([wallet.tenant for wallet in made.wallets], [wallet.id for wallet in made.wallets]),
            *(list(made.own_accounts), sorted(made.existing), made.transaction_hash, made.envelope),
            *(made.fee_max, made.max_time, now),
        )

    async def rebuilt(self, made: Creation, *, instead_of: str) -> None:
        """Store what was built again for the same sequence number."""
        await self.pool.execute(_REBUILT, made.id, instead_of, made.transaction_hash, made.envelope, made.fee_max, made.max_time)

    async def close(
        self, creation: Creation, outcome: str, stands: Sequence[tuple[Wallet, ChainState]], *, is_done: bool
    ) -> None:
        """Record what came of it."""
        async with self.pool.acquire() as connection, connection.transaction():
            await self._close(connection, creation, outcome, stands, is_done=is_done)

    @staticmethod
    async def _close(
        connection: Connection,
        creation: Creation,
        outcome: str,
        stands: Sequence[tuple[Wallet, ChainState]],
        *,
        is_done: bool,
    ) -> None:
        if await connection.execute(_CLOSE, creation.id, "done" if is_done else "failed", outcome) != "UPDATE 1":
            return
        columns = [(wallet.tenant, wallet.id, str(state)) for wallet, state in stands]
        if columns:
            await connection.execute(_STAND, *(list(column) for column in zip(*columns, strict=True)))

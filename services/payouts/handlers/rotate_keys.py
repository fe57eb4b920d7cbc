"""Wrap every wallet's key under the newest key-encryption key, while wallets are used. Seeds are never opened for it."""

from dataclasses import dataclass
from typing import Final

import asyncpg

from libs.common.messaging import faults
from services.payouts.clients.key_provider import KeyProvider, KeyRef, Wrapped
from services.payouts.clients.sealing import context_of
from services.payouts.store import secrets
from services.payouts.store.secrets import Secret

BATCH_ROWS: Final = 1_000
_BEGINNING: Final = ("", "")


@dataclass(frozen=True, slots=True)
class RotateKeys:
    """Works in batches, each a transaction: killed anywhere, it goes on where it was when it is started again."""

    pool: asyncpg.Pool
    keys: KeyProvider

    async def run(self) -> int:
        """Rotate until no key is under an old one, and return how many were wrapped anew.

        Raises:
            InvariantViolationError: an old key is not among the provider's; what came before it is done.
        """
        total = 0
        while done := await self._walk():
            total += done
        return total

    async def _walk(self) -> int:
        total, after = 0, _BEGINNING
        while True:
            async with self.pool.acquire() as connection, connection.transaction():
                rows = await secrets.lock_under_others(connection, after, self.keys.current, limit=BATCH_ROWS)
                if rows:
                    await secrets.rewrap(connection, self.keys.current, await self._rewrapped(rows))
                faults.reach("keys.rewrapped")
            total += len(rows)
            if len(rows) < BATCH_ROWS:
                return total
            after = rows[-1].tenant, rows[-1].wallet_id

    async def _rewrapped(self, rows: list[Secret]) -> list[tuple[str, str, bytes]]:
        contexts = [
            context_of(
                tenant=row.tenant, wallet_id=row.wallet_id, public_key=row.public_key, network=row.network, version=row.version
            )
            for row in rows
        ]
        plain = await self.keys.unwrap(
            [
                Wrapped(KeyRef(row.kek_id, row.kek_version), row.wrapped_key, context)
                for row, context in zip(rows, contexts, strict=True)
            ]
        )
        wrapped = await self.keys.wrap(list(zip(plain, contexts, strict=True)))
        return [(row.tenant, row.wallet_id, key) for row, key in zip(rows, wrapped, strict=True)]

"""Who holds the stream of a user, in Postgres, so that all gateways agree. Times are the database's own."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import asyncpg

_TAKE: Final = """
INSERT INTO leases AS l (tenant, api_key_id, user_id, holder, expires_at) VALUES ($1, $2, $3, $4, now() + $5::interval)
ON CONFLICT (tenant, api_key_id, user_id) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
 WHERE l.expires_at <= now() OR $6
RETURNING true
"""
_RENEW: Final = """
WITH mine AS MATERIALIZED (
    SELECT l.tenant, l.api_key_id, l.user_id, l.holder FROM leases l
      JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(tenant, api_key_id, user_id, holder)
     USING (tenant, api_key_id, user_id, holder)
     ORDER BY 1, 2, 3 FOR UPDATE OF l
)
UPDATE leases l SET expires_at = now() + $5::interval FROM mine m
 WHERE l.tenant = m.tenant AND l.api_key_id = m.api_key_id AND l.user_id = m.user_id AND l.holder = m.holder
RETURNING l.holder
"""
_RELEASE: Final = "DELETE FROM leases WHERE tenant = $1 AND api_key_id = $2 AND user_id = $3 AND holder = $4"
_FORGET: Final = "DELETE FROM leases WHERE expires_at < now()"


class Lease(NamedTuple):
    """The right to the one stream of a user under an API key; `holder` is the stream."""

    tenant: str
    api_key_id: str
    user_id: str
    """Empty for the stream that is of no single user."""
    holder: str


class Leases:
    """The `leases` table."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool

    async def take(self, lease: Lease, kept: timedelta, *, anyway: bool) -> bool:
        """Hold a lease for a while if nobody does, or `anyway`; tell whether it is held now."""
        return await self._pool.fetchval(_TAKE, *lease, kept, anyway) is True

    async def renew(self, leases: Sequence[Lease], kept: timedelta) -> set[str]:
        """Hold leases for longer; return the holders that still have theirs."""
        if not leases:
            return set()
        return {record[0] for record in await self._pool.fetch(_RENEW, *zip(*leases, strict=True), kept)}

    async def release(self, lease: Lease) -> None:
        """Give a lease back, unless somebody else has it by now."""
        await self._pool.execute(_RELEASE, *lease)

    async def forget(self) -> None:
        """Delete what dead processes held."""
        await self._pool.execute(_FORGET)

"""When API keys were last used: noted in memory, written now and then."""

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from libs.common.kernel.ids import Tenant

WRITE_SECONDS: Final = 5.0
_ONCE_PER: Final = timedelta(minutes=1)
# Sorted like every statement on several rows, so that two processes never wait for each other.
_WRITE: Final = """
UPDATE api_keys k SET last_used_at = u.at
  FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS u(tenant, id, at)
 WHERE (k.tenant, k.id) = (u.tenant, u.id) AND (k.last_used_at IS NULL OR k.last_used_at < u.at)
"""
_Key = tuple[Tenant, str]


class KeyUses:
    """Notes uses; `write` brings what is due to the database, at most once a minute for each key."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool
        self._noted: dict[_Key, datetime] = {}
        self._due: dict[_Key, datetime] = {}

    def note(self, tenant: Tenant, key_id: str, now: datetime) -> None:
        """Remember that a key was used, unless it was noted within the last minute."""
        key = (tenant, key_id)
        noted = self._noted.get(key)
        if noted is None or noted + _ONCE_PER <= now:
            self._noted[key] = self._due[key] = now

    async def write(self) -> None:
        """Write what is due; what can't be written now stays due."""
        due, self._due = self._due, {}
        if not due:
            return
        keys = sorted(due)
        try:
            await self._pool.execute(_WRITE, [key[0] for key in keys], [key[1] for key in keys], [due[key] for key in keys])
        except BaseException:
            self._due = due | self._due
            raise
        newest = max(due.values())
        self._noted = {key: at for key, at in self._noted.items() if at + _ONCE_PER > newest}

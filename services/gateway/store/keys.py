"""API keys in Postgres."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.kernel.ids import Tenant
from libs.common.persistence.pages import Bounds, Listing
from services.gateway.domain.key_records import KeyRecord

_NAMES: Final = tuple(field.name for field in fields(KeyRecord))
_COLUMNS: Final = ", ".join(_NAMES)
_VALUES: Final = ", ".join(f"${place}" for place in range(1, len(_NAMES) + 1))
_INSERT: Final = f"""
INSERT INTO api_keys ({_COLUMNS}) VALUES ({_VALUES})
ON CONFLICT (tenant, id) DO UPDATE SET id = excluded.id
RETURNING {_COLUMNS}
"""  # noqa: S608 - column names from code
_FIND: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE digest = ANY($1)"  # noqa: S608 - column names from code
_GET: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE tenant = $1 AND id = $2"  # noqa: S608 - column names from code
# What `KeyRecord.status` calls expired or revoked, of many keys at once.
_ENDED: Final = """
SELECT u.tenant, u.id FROM unnest($1::text[], $2::text[]) AS u(tenant, id)
  LEFT JOIN api_keys k ON k.tenant = u.tenant AND k.id = u.id
 WHERE k.id IS NULL OR k.revoked_at IS NOT NULL OR least(k.expires_at, k.retires_at) <= $3
"""
_LIST: Final = Listing("api_keys", _COLUMNS, order=("id",))
_REVOKE: Final = f"""
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2 RETURNING {_COLUMNS}
"""  # noqa: S608 - column names from code
# The row's lock makes one winner of two rotations; the loser finds `replaced_by` set and changes nothing.
_REPLACE: Final = """
UPDATE api_keys SET replaced_by = $3, retires_at = $4
 WHERE tenant = $1 AND id = $2 AND replaced_by IS NULL AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $5)
"""

KeyName = tuple[Tenant, str]
"""A key by its tenant and id."""


class Keys:
    """The keys of all tenants; every look-up but the one by digest names its tenant."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool

    async def insert(self, record: KeyRecord) -> KeyRecord:
        """Store a key, or return the one that an earlier run of the same command stored."""
        [row] = await self._pool.fetch(_INSERT, *astuple(record))
        return KeyRecord(**row)

    async def find(self, digests: Sequence[bytes]) -> list[KeyRecord | None]:
        """Return the key of each digest, in their order, whatever has become of it; None for unknown ones."""
        found = {row["digest"]: KeyRecord(**row) for row in await self._pool.fetch(_FIND, list(digests))}
        return [found.get(digest) for digest in digests]

    async def get(self, tenant: Tenant, key_id: str) -> KeyRecord | None:
        """Return a key of the tenant."""
        row = await self._pool.fetchrow(_GET, tenant, key_id)
        return None if row is None else KeyRecord(**row)

    async def ended(self, names: Sequence[KeyName], *, now: datetime) -> set[KeyName]:
        """Return those keys that are revoked, over or gone."""
        rows = await self._pool.fetch(_ENDED, [name[0] for name in names], [name[1] for name in names], now)
        return {(row["tenant"], row["id"]) for row in rows}

    async def page(self, tenant: Tenant, bounds: Bounds) -> list[KeyRecord]:
        """Return a page of keys and one more, newest first."""
        return [KeyRecord(**row) for row in await _LIST.read(self._pool, tenant, [{}], bounds) or ()]

    async def revoke(self, tenant: Tenant, key_id: str, *, now: datetime) -> KeyRecord | None:
        """End a key; a second time changes nothing. None when the tenant has no such key."""
        row = await self._pool.fetchrow(_REVOKE, tenant, key_id, now)
        return None if row is None else KeyRecord(**row)

    async def replace(self, key_id: str, successor: KeyRecord, *, retires_at: datetime, now: datetime) -> KeyRecord | None:
        """Store a key's successor and let the key retire, both or neither; None when the key is not active any more."""
        async with self._pool.acquire() as connection, connection.transaction():
            status = await connection.execute(_REPLACE, successor.tenant, key_id, successor.id, retires_at, now)
            if status == "UPDATE 0":
                return None
            [row] = await connection.fetch(_INSERT, *astuple(successor))
        return KeyRecord(**row)

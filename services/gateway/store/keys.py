"""API keys in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.kernel.ids import Tenant
from services.gateway.domain.access import Principal, Scope


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key as it is stored and listed."""

    tenant: Tenant
    id: str
    name: str
    marketplace: str
    mode: str
    scopes: list[str]
    hint: str
    digest: bytes
    created_by: str
    created_at: datetime
    revoked_at: datetime | None = None


_COLUMNS: Final = "tenant, id, name, marketplace, mode, scopes, hint, digest, created_by, created_at, revoked_at"
_INSERT: Final = f"""
INSERT INTO api_keys ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)
ON CONFLICT (tenant, id) DO UPDATE SET id = excluded.id
RETURNING {_COLUMNS}
"""  # noqa: S608 - column names from code
_FIND: Final = "SELECT digest, id, name, marketplace, mode, scopes FROM api_keys WHERE digest = ANY($1) AND revoked_at IS NULL"
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM api_keys WHERE tenant = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608 - column names from code
_REVOKE: Final = f"""
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND id = $2 RETURNING {_COLUMNS}
"""  # noqa: S608 - column names from code


class Keys:
    """The keys of all tenants; every look-up but the one by digest names its tenant."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool

    async def insert(self, row: ApiKeyRow) -> ApiKeyRow:
        """Store a key, or return the one that an earlier run of the same command stored."""
        [record] = await self._pool.fetch(
            _INSERT,
            row.tenant,
            row.id,
            row.name,
            row.marketplace,
            row.mode,
            row.scopes,
            row.hint,
            row.digest,
            row.created_by,
            row.created_at,
        )
        return ApiKeyRow(*record)

    async def find(self, digests: Sequence[bytes]) -> list[Principal | None]:
        """Return whom each digest stands for, in their order; None for unknown and revoked keys."""
        found: dict[bytes, Principal] = {}
        for record in await self._pool.fetch(_FIND, list(digests)):
            scopes = frozenset(Scope(name) for name in record["scopes"])
            found[record["digest"]] = Principal(record["id"], record["name"], record["marketplace"], record["mode"], scopes)
        return [found.get(digest) for digest in digests]

    async def page(self, tenant: Tenant, *, limit: int, cursor: str | None) -> list[ApiKeyRow]:
        """Return up to `limit` keys, newest first, older than the cursor."""
        return [ApiKeyRow(*record) for record in await self._pool.fetch(_PAGE, tenant, cursor, limit)]

    async def revoke(self, tenant: Tenant, key_id: str, *, now: datetime) -> ApiKeyRow | None:
        """End a key; a second time changes nothing. None when the tenant has no such key."""
        record = await self._pool.fetchrow(_REVOKE, tenant, key_id, now)
        return None if record is None else ApiKeyRow(*record)

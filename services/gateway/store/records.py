"""Reading what was recorded: one request, a page of changes, and the chain that vouches for them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from libs.common.kernel.ids import Tenant
from services.gateway.domain.records import About, Record, microseconds

_COLUMNS: Final = (
    "tenant, id, api_key_id, key, about, state, started_at, completed_at, status, code, resource_id, before, body, batch_id"
)
# A request id that its caller chose need not be unique: the last one counts.
_GET: Final = f"""
SELECT {_COLUMNS} FROM requests WHERE tenant = $1 AND id = $2
UNION ALL
(SELECT {_COLUMNS} FROM requests WHERE tenant = $1 AND request_id = $2 ORDER BY id DESC LIMIT 1)
"""  # noqa: S608 - column names from code
_SEEN: Final = f"SELECT {_COLUMNS} FROM requests WHERE tenant = $1 AND id < $2 AND id >= $3"  # noqa: S608 - as above
_BATCHES: Final = """
SELECT position, id, digest, hash, records, sealed_at FROM request_batches WHERE position > $1 ORDER BY position LIMIT $2
"""
_SEALED: Final = f"SELECT {_COLUMNS}, record_hash FROM requests WHERE batch_id = ANY($1)"  # noqa: S608 - as above
_STRAYS: Final = """
SELECT id FROM requests r
 WHERE state = 'completed' AND NOT EXISTS (SELECT FROM request_batches b WHERE b.id = r.batch_id) LIMIT $1
"""
_HEAD: Final = "SELECT position, hash FROM request_head"


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A request as it is stored; what it ended with is None while it is under way."""

    tenant: Tenant
    id: str
    api_key_id: str
    key: str | None
    about: bytes
    state: str
    started_at: datetime
    completed_at: datetime | None
    status: int | None
    code: str | None
    resource_id: str | None
    before: bytes | None
    body: bytes | None
    batch_id: str | None

    def asked(self) -> About:
        """Read what was asked."""
        return msgspec.json.decode(self.about, type=About)

    def record(self) -> Record:
        """Put together what was hashed; only for a request that has ended."""
        return Record(
            tenant=self.tenant,
            id=self.id,
            api_key_id=self.api_key_id,
            key=self.key,
            about=self.about,
            started_at=microseconds(self.started_at),
            completed_at=microseconds(self.completed_at or self.started_at),
            status=self.status or 0,
            code=self.code or "",
            resource_id=self.resource_id,
            before=self.before,
            body=self.body,
        )


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One link of the chain."""

    position: int
    id: str
    digest: bytes
    hash: bytes
    records: int
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Range:
    """Which records to look at: ids from `since` to before `until`, of one resource or of all."""

    since: str
    until: str
    resource_id: str | None = None


class RecordStore:
    """What the `requests` table tells."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use this pool."""
        self._pool = pool

    async def get(self, tenant: Tenant, request_id: str) -> RecordRow | None:
        """Find a request by our id or by its caller's."""
        record = await self._pool.fetchrow(_GET, tenant, request_id)
        return None if record is None else RecordRow(*record)

    async def page(self, tenant: Tenant, wanted: Range, *, limit: int) -> list[RecordRow]:
        """Return up to `limit` records, newest first."""
        if wanted.resource_id is None:
            records = await self._pool.fetch(f"{_SEEN} ORDER BY id DESC LIMIT $4", tenant, wanted.until, wanted.since, limit)
        else:
            statement = f"{_SEEN} AND resource_id = $5 ORDER BY id DESC LIMIT $4"
            records = await self._pool.fetch(statement, tenant, wanted.until, wanted.since, limit, wanted.resource_id)
        return [RecordRow(*record) for record in records]

    async def strays(self, *, limit: int) -> list[str]:
        """Return up to `limit` ids of ended records that no batch vouches for."""
        return [record[0] for record in await self._pool.fetch(_STRAYS, limit)]

    async def head(self) -> tuple[int, bytes]:
        """Return the position and the hash of the last batch."""
        [(position, found)] = await self._pool.fetch(_HEAD)
        return position, found

    async def batches(self, *, size: int) -> AsyncIterator[tuple[list[BatchRow], dict[str, list[tuple[RecordRow, bytes]]]]]:
        """Walk the chain from its start, `size` batches at a time, each with the records (and stored hashes) still kept."""
        position = 0
        while True:
            batches = [BatchRow(*record) for record in await self._pool.fetch(_BATCHES, position, size)]
            if not batches:
                return
            yield batches, await self._sealed([batch.id for batch in batches])
            position = batches[-1].position

    async def _sealed(self, batch_ids: Sequence[str]) -> dict[str, list[tuple[RecordRow, bytes]]]:
        found: dict[str, list[tuple[RecordRow, bytes]]] = {batch_id: [] for batch_id in batch_ids}
        for record in await self._pool.fetch(_SEALED, batch_ids):
            *columns, stored = record
            row = RecordRow(*columns)
            found[row.batch_id or ""].append((row, stored))
        return found

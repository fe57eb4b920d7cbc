"""Requests whose process died before it could write down how they ended, and records too old to keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from libs.common.kernel.clock import Clock
from services.gateway.domain.idempotency import LEASE
from services.gateway.store.requests import Claim

_TAKE: Final = """
UPDATE requests r SET claimed_at = $1
  FROM (SELECT tenant, id FROM requests
         WHERE state = 'in_progress' AND started_at < $2 AND (claimed_at IS NULL OR claimed_at < $2)
         ORDER BY started_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS left_over
 WHERE (r.tenant, r.id) = (left_over.tenant, left_over.id)
RETURNING r.tenant, r.id, r.api_key_id, r.key, r.about, r.started_at
"""
_FORGET: Final = """
DELETE FROM requests WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM requests
     WHERE completed_at < $1 AND NOT (holds_key AND (expires_at IS NULL OR expires_at > $2))
     LIMIT $3 FOR UPDATE SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A request without an end, taken over from a process that died or let go of it."""

    claim: Claim
    started_at: datetime


class Leftovers:
    """The unfinished and the outdated rows of `requests`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, lease: timedelta = LEASE) -> None:
        """Use this pool; a claim older than `lease` belongs to a process that died."""
        self._pool = pool
        self._clock = clock
        self._lease = lease

    async def take(self, limit: int) -> Sequence[Leftover]:
        """Take over up to `limit` requests, oldest first; for the length of a lease nobody else does."""
        now = self._clock.now()
        records = await self._pool.fetch(_TAKE, now, now - self._lease, limit)
        return [Leftover(_claim(record), record["started_at"]) for record in records]

    async def forget(self, *, kept: timedelta, limit: int) -> int:
        """Delete up to `limit` records completed longer ago than `kept` whose keys are free; return how many there were."""
        now = self._clock.now()
        status = await self._pool.execute(_FORGET, now - kept, now, limit)
        return int(status.rsplit(" ", 1)[-1])


def _claim(record: asyncpg.Record) -> Claim:
    return Claim(record["tenant"], record["id"], record["api_key_id"], record["key"], b"", record["about"], None, None)

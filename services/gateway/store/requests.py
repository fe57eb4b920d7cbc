"""Idempotency keys in Postgres: claimed before anything is published, completed after the answer has left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg

from libs.common.kernel.clock import Clock
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import LEASE, Claimed, Fate, RowKey, Taken


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that asks for its key; the row it may make is stored with this command id."""

    key: RowKey
    fingerprint: bytes
    command_id: str
    window: timedelta | None
    """How long the key is remembered; None for ever."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a claimed key."""

    key: RowKey
    command_id: str
    fate: Fate
    answer: Answer | None = None


# One statement claims many keys. A conflict is settled in our favour when the row has expired (a new request, a new command
# id) or when its owner has let go of it or died (the same request again, under the command id it was given first). Otherwise
# the row tells who has the key; one that another process is inserting right now is not visible yet, and is absent from both.
_CLAIM: Final = """
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[])
             AS u(tenant, api_key_id, key, fingerprint, command_id, expires_at)
), won AS (
    INSERT INTO requests AS r (tenant, api_key_id, key, fingerprint, command_id, state, claimed_at, expires_at)
    SELECT tenant, api_key_id, key, fingerprint, command_id, 'in_progress', $7, expires_at FROM asked
    ON CONFLICT (tenant, api_key_id, key) DO UPDATE
       SET fingerprint = excluded.fingerprint,
           command_id = CASE WHEN r.expires_at <= $7 THEN excluded.command_id ELSE r.command_id END,
           expires_at = CASE WHEN r.expires_at <= $7 THEN excluded.expires_at ELSE r.expires_at END,
           state = 'in_progress', status = NULL, body = NULL, claimed_at = $7
     WHERE r.expires_at <= $7
        OR (r.state = 'in_progress' AND r.fingerprint = excluded.fingerprint
            AND (r.claimed_at IS NULL OR r.claimed_at < $8))
    RETURNING tenant, api_key_id, key, command_id
)
SELECT tenant, api_key_id, key, command_id, NULL::bytea AS fingerprint, NULL::text AS state, NULL::smallint AS status,
       NULL::bytea AS body
  FROM won
UNION ALL
SELECT r.tenant, r.api_key_id, r.key, r.command_id, r.fingerprint, r.state, r.status, r.body
  FROM requests r JOIN asked USING (tenant, api_key_id, key)
 WHERE NOT EXISTS (SELECT FROM won w WHERE (w.tenant, w.api_key_id, w.key) = (r.tenant, r.api_key_id, r.key))
"""
_COMPLETE: Final = """
UPDATE requests r SET state = 'completed', status = u.status, body = u.body, claimed_at = NULL
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bytea[])
    AS u(tenant, api_key_id, key, command_id, status, body)
 WHERE (r.tenant, r.api_key_id, r.key, r.command_id) = (u.tenant, u.api_key_id, u.key, u.command_id)
"""
_HOLD: Final = """
UPDATE requests r SET claimed_at = NULL
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(tenant, api_key_id, key, command_id)
 WHERE (r.tenant, r.api_key_id, r.key, r.command_id) = (u.tenant, u.api_key_id, u.key, u.command_id)
   AND r.state = 'in_progress'
"""
_FREE: Final = """
DELETE FROM requests r USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u(tenant, api_key_id, key, command_id)
 WHERE (r.tenant, r.api_key_id, r.key, r.command_id) = (u.tenant, u.api_key_id, u.key, u.command_id)
   AND r.state = 'in_progress'
"""
_FORGET: Final = """
DELETE FROM requests WHERE (tenant, api_key_id, key) IN (
    SELECT tenant, api_key_id, key FROM requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class Requests:
    """The `requests` table. Rows are always touched in the order of their key, so two processes never wait for each other."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, lease: timedelta = LEASE) -> None:
        """Use this pool; a claim older than `lease` belongs to a process that died."""
        self._pool = pool
        self._clock = clock
        self._lease = lease

    async def claim(self, claims: Sequence[Claim]) -> list[Claimed | Taken]:
        """Claim the keys of these requests, or say who has them; no key may be there twice."""
        now = self._clock.now()
        ordered = sorted(claims, key=lambda claim: claim.key)
        records = await self._pool.fetch(
            _CLAIM,
            *_keys([claim.key for claim in ordered]),
            [claim.fingerprint for claim in ordered],
            [claim.command_id for claim in ordered],
            [None if claim.window is None else now + claim.window for claim in ordered],
            now,
            now - self._lease,
        )
        rows = {(record[0], record[1], record[2]): record for record in records}
        return [_outcome(claim, rows.get(claim.key)) for claim in claims]

    async def settle(self, settlements: Sequence[Settlement]) -> list[None]:
        """Write what became of these keys."""
        ordered = sorted(settlements, key=lambda settlement: settlement.key)
        kept = [item for item in ordered if item.fate is Fate.KEEP and item.answer is not None]
        if kept:
            answers = [item.answer for item in kept if item.answer is not None]
            statuses, bodies = [answer.status for answer in answers], [answer.body for answer in answers]
            await self._pool.execute(_COMPLETE, *_owned(kept), statuses, bodies)
        for fate, statement in ((Fate.HOLD, _HOLD), (Fate.FREE, _FREE)):
            items = [item for item in ordered if item.fate is fate]
            if items:
                await self._pool.execute(statement, *_owned(items))
        return [None] * len(settlements)

    async def forget(self, *, limit: int) -> int:
        """Delete up to `limit` rows whose window has passed; return how many there were."""
        status = await self._pool.execute(_FORGET, self._clock.now(), limit)
        return int(status.rsplit(" ", 1)[-1])


def _outcome(claim: Claim, record: Any) -> Claimed | Taken:  # noqa: ANN401 - an asyncpg record
    if record is None:
        return Taken(claim.fingerprint, None)
    if record["state"] is None:
        return Claimed(record["command_id"], fresh=record["command_id"] == claim.command_id)
    done = record["state"] == "completed"
    answer = Answer(record["status"], record["body"], is_replay=True) if done else None
    return Taken(record["fingerprint"], answer)


def _keys(keys: Sequence[RowKey]) -> list[list[str]]:
    return [[key[place] for key in keys] for place in range(3)]


def _owned(settlements: Sequence[Settlement]) -> list[list[str]]:
    return [*_keys([item.key for item in settlements]), [item.command_id for item in settlements]]

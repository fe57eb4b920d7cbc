"""Requests in Postgres: claimed before anything is published, completed and chained after the answer has left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import new_id
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import LEASE, Claimed, Fate, Taken
from services.gateway.domain.records import Record, microseconds, record_hash


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that asks for its record, and for its key if it has one."""

    tenant: str
    id: str
    api_key_id: str
    key: str | None
    fingerprint: bytes
    about: bytes
    request_id: str | None
    """The caller's own request id."""
    window: timedelta | None
    """How long the key is remembered; None for ever."""

    @property
    def name(self) -> tuple[str, ...]:
        """Name what two claims can't both have: the key, or the record when there is none."""
        return (self.tenant, self.id) if self.key is None else (self.tenant, self.api_key_id, self.key)


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that has been answered; without `is_storable` the answer's body holds a secret and is not kept."""

    claim: Claim
    id: str
    started_at: datetime
    answer: Answer
    fate: Fate
    resource_id: str | None = None
    is_storable: bool = True

    def record(self, completed_at: datetime) -> Record:
        """Put together what is kept and hashed."""
        claim, answer = self.claim, self.answer
        return Record(
            tenant=claim.tenant,
            id=self.id,
            api_key_id=claim.api_key_id,
            key=claim.key,
            about=claim.about,
            started_at=microseconds(self.started_at),
            completed_at=microseconds(completed_at),
            status=answer.status,
            code=answer.code,
            resource_id=self.resource_id,
            before=answer.before,
            body=answer.body if self.is_storable else None,
        )


# One statement claims many. A conflict is settled in our favour when the key's owner has let go of it or died: the same
# request again, under the id it was given first. Otherwise the row tells who has the key; one that another process is
# inserting right now is not visible yet, and is absent from both.
_CLAIM: Final = """
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::timestamptz[])
             AS u(tenant, id, api_key_id, key, fingerprint, about, request_id, expires_at)
), won AS (
    INSERT INTO requests AS r (tenant, id, api_key_id, key, holds_key, fingerprint, about, request_id, state, started_at,
                               claimed_at, expires_at)
    SELECT tenant, id, api_key_id, key, key IS NOT NULL, fingerprint, about, request_id, 'in_progress', $9, $9, expires_at
      FROM asked
    ON CONFLICT (tenant, api_key_id, key) WHERE holds_key DO UPDATE
       SET about = excluded.about, request_id = excluded.request_id, started_at = $9, claimed_at = $9
     WHERE r.state = 'in_progress' AND r.fingerprint = excluded.fingerprint AND (r.expires_at IS NULL OR r.expires_at > $9)
       AND (r.claimed_at IS NULL OR r.claimed_at < $10)
    RETURNING tenant, api_key_id, key, id
)
SELECT tenant, api_key_id, key, id, NULL::bytea AS fingerprint, NULL::text AS state, NULL::smallint AS status,
       NULL::bytea AS body, false AS expired
  FROM won
UNION ALL
SELECT r.tenant, r.api_key_id, r.key, r.id, r.fingerprint, r.state, r.status, r.body, r.expires_at <= $9
  FROM requests r JOIN asked USING (tenant, api_key_id, key)
 WHERE r.holds_key
   AND NOT EXISTS (SELECT FROM won w WHERE (w.tenant, w.api_key_id, w.key) = (r.tenant, r.api_key_id, r.key))
"""
_LOOK: Final = """
SELECT r.tenant, r.api_key_id, r.key, r.id, r.fingerprint, r.state, r.status, r.body, r.expires_at <= $4 AS expired
  FROM requests r
  JOIN unnest($1::text[], $2::text[], $3::text[]) AS asked(tenant, api_key_id, key) USING (tenant, api_key_id, key)
 WHERE r.holds_key
"""
_EXPIRE: Final = """
UPDATE requests r SET holds_key = false
  FROM unnest($1::text[], $2::text[]) AS u(tenant, id)
 WHERE (r.tenant, r.id) = (u.tenant, u.id) AND r.holds_key AND r.expires_at <= $3
"""
_LET_GO: Final = """
UPDATE requests r SET claimed_at = NULL
  FROM unnest($1::text[], $2::text[]) AS u(tenant, id)
 WHERE (r.tenant, r.id) = (u.tenant, u.id) AND r.state = 'in_progress'
"""
_UNDO: Final = """
DELETE FROM requests r USING unnest($1::text[], $2::text[]) AS u(tenant, id)
 WHERE (r.tenant, r.id) = (u.tenant, u.id) AND r.state = 'in_progress'
"""
_ENDED: Final = """
    SELECT * FROM unnest($3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::bool[],
                         $11::bytea[])
             AS u(tenant, id, status, code, resource_id, before, body, keeps_key, record_hash)
"""
# Whoever completes records adds a batch to the chain in the same statement. Its hash covers the rows that really changed;
# the head is locked last, so that processes wait for each other only there.
_CHAIN: Final = """
, batch AS (
    SELECT sha256(string_agg(record_hash, ''::bytea ORDER BY record_hash)) AS digest, count(*) AS records
      FROM done HAVING count(*) > 0
), head AS (
    UPDATE request_head h SET position = h.position + 1, hash = sha256(h.hash || b.digest)
      FROM batch b RETURNING h.position, h.hash, b.digest, b.records
)
INSERT INTO request_batches (position, id, digest, hash, records, sealed_at)
SELECT position, $2::text, digest, hash, records, $1::timestamptz FROM head
"""
_COMPLETE: Final = f"""
WITH ended AS ({_ENDED}), done AS (
    UPDATE requests r
       SET state = 'completed', status = u.status, code = u.code, resource_id = u.resource_id, before = u.before, body = u.body,
           holds_key = r.holds_key AND u.keeps_key, claimed_at = NULL, completed_at = $1::timestamptz, batch_id = $2::text,
           record_hash = u.record_hash
      FROM ended u WHERE (r.tenant, r.id) = (u.tenant, u.id) AND r.state = 'in_progress'
    RETURNING r.record_hash
){_CHAIN}"""  # noqa: S608 - parts from code
_NOTE: Final = f"""
WITH ended AS ({_ENDED}), more AS (
    SELECT * FROM unnest($4::text[], $12::text[], $13::text[], $14::bytea[], $15::text[], $16::timestamptz[])
             AS m(id, api_key_id, key, about, request_id, started_at)
), done AS (
    INSERT INTO requests (tenant, id, api_key_id, key, holds_key, about, request_id, state, started_at, completed_at, status,
                          code, resource_id, before, body, batch_id, record_hash)
    SELECT tenant, id, api_key_id, key, false, about, request_id, 'completed', started_at, $1::timestamptz, status, code,
           resource_id, before, body, $2::text, record_hash
      FROM ended JOIN more USING (id)
    ON CONFLICT DO NOTHING RETURNING record_hash
){_CHAIN}"""  # noqa: S608 - parts from code


class Requests:
    """The `requests` table. Keys are always claimed in their order, so that two processes don't wait for each other."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, lease: timedelta = LEASE) -> None:
        """Use this pool; a claim older than `lease` belongs to a process that died."""
        self._pool = pool
        self._clock = clock
        self._lease = lease

    async def claim(self, claims: Sequence[Claim]) -> list[Claimed | Taken]:
        """Claim the records and keys of these requests, or say who has them; no key may be there twice."""
        now = self._clock.now()
        outcomes = await self._claim(claims, now)
        expired = {name: record for name, record in outcomes.items() if record["expired"]}
        if expired:
            await self._pool.execute(
                _EXPIRE, *([record[column] for record in expired.values()] for column in ("tenant", "id")), now
            )
            outcomes |= await self._claim([claim for claim in claims if claim.name in expired], now)
        return [_outcome(claim, outcomes.get(claim.name), now) for claim in claims]

    async def look(self, claims: Sequence[Claim]) -> list[Taken | None]:
        """Say who has the keys of these requests, and claim none; None for a key that is free."""
        now = self._clock.now()
        columns = ([claim.tenant for claim in claims], [claim.api_key_id for claim in claims], [claim.key for claim in claims])
        found = {_name(record): record for record in await self._pool.fetch(_LOOK, *columns, now)}
        records = (found.get(claim.name) for claim in claims)
        return [None if record is None or record["expired"] else _taken(record) for record in records]

    async def settle(self, endings: Sequence[Ended]) -> list[None]:
        """Write what became of claimed requests."""
        done = [ending for ending in endings if ending.fate in (Fate.KEEP, Fate.FREE)]
        if done:
            now = self._clock.now()
            await self._pool.execute(_COMPLETE, now, new_id("bat"), *_columns(done, now))
        for fate, statement in ((Fate.HOLD, _LET_GO), (Fate.UNDO, _UNDO)):
            others = [ending for ending in endings if ending.fate is fate]
            if others:
                await self._pool.execute(statement, [it.claim.tenant for it in others], [it.id for it in others])
        return [None] * len(endings)

    async def note(self, endings: Sequence[Ended]) -> list[None]:
        """Write down requests that were answered without a claim."""
        now = self._clock.now()
        claims = [ending.claim for ending in endings]
        more = (
            [claim.api_key_id for claim in claims],
            [claim.key for claim in claims],
            [claim.about for claim in claims],
            [claim.request_id for claim in claims],
            [ending.started_at for ending in endings],
        )
        await self._pool.execute(_NOTE, now, new_id("bat"), *_columns(endings, now), *more)
        return [None] * len(endings)

    async def _claim(self, claims: Sequence[Claim], now: datetime) -> dict[tuple[str, ...], asyncpg.Record]:
        ordered = sorted(claims, key=lambda claim: claim.name)
        records = await self._pool.fetch(
            _CLAIM,
            [claim.tenant for claim in ordered],
            [claim.id for claim in ordered],
            [claim.api_key_id for claim in ordered],
            [claim.key for claim in ordered],
            [claim.fingerprint for claim in ordered],
            [claim.about for claim in ordered],
            [claim.request_id for claim in ordered],
            [None if claim.window is None else now + claim.window for claim in ordered],
            now,
            now - self._lease,
        )
        return {_name(record): record for record in records}


def _name(record: asyncpg.Record) -> tuple[str, ...]:
    tenant, api_key_id, key, record_id = record[:4]
    return (tenant, record_id) if key is None else (tenant, api_key_id, key)


def _outcome(claim: Claim, record: Any, now: datetime) -> Claimed | Taken:  # noqa: ANN401 - an asyncpg record
    if record is None or record["expired"]:
        return Taken(claim.fingerprint)
    if record["state"] is None:
        return Claimed(record["id"], fresh=record["id"] == claim.id, started_at=now)
    return _taken(record)


def _taken(record: asyncpg.Record) -> Taken:
    if record["state"] == "in_progress":
        return Taken(record["fingerprint"])
    if record["body"] is None:
        return Taken(record["fingerprint"], again=record["id"])
    return Taken(record["fingerprint"], Answer(record["status"], record["body"], is_replay=True))


def _columns(endings: Sequence[Ended], now: datetime) -> tuple[list[Any], ...]:
    records = [ending.record(now) for ending in endings]
    return (
        [record.tenant for record in records],
        [record.id for record in records],
        [record.status for record in records],
        [record.code for record in records],
        [record.resource_id for record in records],
        [record.before for record in records],
        [record.body for record in records],
        [ending.fate is Fate.KEEP for ending in endings],
        [record_hash(record) for record in records],
    )

"""Single deliveries, their attempts and the events they carry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import msgspec
from asyncpg import Record

ATTEMPTS_SHOWN: Final = 100
"""Of one delivery; who sends it again and again sees the last of them."""

_DELIVERIES: Final = """
SELECT d.tenant, d.id, d.endpoint_id, v.id AS event_id, v.type AS event_type, d.state, d.attempts, d.last_status, d.last_error,
       CASE WHEN d.state = 'PENDING' THEN d.next_attempt_at END AS next_attempt_at, d.created_at,
       d.replay_id
  FROM unnest($1::text[], $2::text[], $3::text[]) AS k(tenant, endpoint_id, id)
  JOIN deliveries d ON d.tenant = k.tenant AND d.endpoint_id = k.endpoint_id AND d.id = k.id
  JOIN event_log v ON v.tenant = d.tenant AND v.position = d.position AND v.logged_at = d.logged_at
"""

_ATTEMPTS: Final = f"""
SELECT a.* FROM unnest($1::text[], $2::text[]) AS k(tenant, delivery_id)
 CROSS JOIN LATERAL (
    SELECT t.tenant, t.delivery_id, t.number, t.url, t.started_at, t.duration_ms, t.connect_ms, t.status, t.error, t.response,
           t.signed_with, t.signature
      FROM attempts t WHERE t.tenant = k.tenant AND t.delivery_id = k.delivery_id
     ORDER BY t.number DESC LIMIT {ATTEMPTS_SHOWN}) a
 ORDER BY a.tenant, a.delivery_id, a.number
"""  # noqa: S608 - a number from code

_CARRIED: Final = """
SELECT d.tenant, d.endpoint_id, d.id, v.position, v.aggregate, v.sequence, v.logged_at, v.body
  FROM unnest($1::text[], $2::text[], $3::text[]) AS k(tenant, endpoint_id, id)
  JOIN deliveries d ON d.tenant = k.tenant AND d.endpoint_id = k.endpoint_id AND d.id = k.id
  JOIN event_log v ON v.tenant = d.tenant AND v.position = d.position AND v.logged_at = d.logged_at
"""
_SECRETS: Final = """
SELECT s.tenant, s.endpoint_id, s.number, s.created_at, s.primary_at, s.retires_at
  FROM unnest($1::text[], $2::text[]) AS k(tenant, endpoint_id)
  JOIN secrets s ON s.tenant = k.tenant AND s.endpoint_id = k.endpoint_id
 ORDER BY s.number
"""

Key = tuple[str, str, str]


class Carried(NamedTuple):
    """The event that a delivery carries, as it stands in the log."""

    position: int
    aggregate: str
    sequence: int
    logged_at: datetime
    body: bytes


class SecretTimes(NamedTuple):
    """When a secret of an endpoint signs; the secret itself is not read."""

    number: int
    created_at: datetime
    primary_at: datetime
    retires_at: datetime | None


class AttemptRow(msgspec.Struct, frozen=True, gc=False):
    """One post of a delivery as it was recorded."""

    tenant: str
    delivery_id: str
    number: int
    url: str | None
    started_at: datetime
    duration_ms: int
    connect_ms: int | None
    status: int | None
    error: str | None
    response: bytes
    signed_with: str | None
    """Numbers of the endpoint's secrets, in the order of the signatures, with blanks between."""
    signature: str | None


async def deliveries(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Record]:
    """Return those that exist, by (tenant, endpoint, id), each with the id and type of its event."""
    records = await pool.fetch(_DELIVERIES, *map(list, zip(*keys, strict=True)))
    return {(record["tenant"], record["endpoint_id"], record["id"]): record for record in records}


async def attempts(pool: asyncpg.Pool, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[AttemptRow]]:
    """Return the last attempts of deliveries, by (tenant, delivery), the first of them first."""
    found: dict[tuple[str, str], list[AttemptRow]] = {}
    for record in await pool.fetch(_ATTEMPTS, [key[0] for key in keys], [key[1] for key in keys]):
        row = AttemptRow(*record)
        found.setdefault((row.tenant, row.delivery_id), []).append(row)
    return found


async def carried(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Carried]:
    """Return the events of deliveries, by (tenant, endpoint, delivery)."""
    records = await pool.fetch(_CARRIED, [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys])
    return {(record[0], record[1], record[2]): Carried(*record[3:]) for record in records}


async def secrets(pool: asyncpg.Pool, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[SecretTimes]]:
    """Return the secrets that endpoints still have, by (tenant, endpoint)."""
    found: dict[tuple[str, str], list[SecretTimes]] = {}
    owners = set(keys)
    for record in await pool.fetch(_SECRETS, [key[0] for key in owners], [key[1] for key in owners]):
        found.setdefault((record[0], record[1]), []).append(SecretTimes(*record[2:]))
    return found

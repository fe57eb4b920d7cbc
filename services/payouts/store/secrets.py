"""Wallets' sealed seeds, in the table that the signer's role alone may touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from libs.common.persistence.rows import Connection

_KNOWN: Final = """
SELECT k.tenant, k.wallet_id, coalesce(s.public_key, ''), coalesce(w.user_id, ''), coalesce(w.public_key, ''),
       coalesce(w.sealed_secret, '')
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(tenant, wallet_id, place)
  LEFT JOIN wallet_secrets s ON s.tenant = k.tenant AND s.wallet_id = k.wallet_id
  LEFT JOIN wallets w ON w.tenant = k.tenant AND w.id = k.wallet_id
 ORDER BY k.place
"""
_COLUMNS: Final = "tenant, wallet_id, public_key, network, version, kek_id, kek_version, wrapped_key, sealed_seed, created_at"
_KEEP: Final = f"""
INSERT INTO wallet_secrets AS s ({_COLUMNS})
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::bytea[], $9::bytea[],
                     $10::timestamptz[]) AS n({_COLUMNS})
 ORDER BY 1, 2
    ON CONFLICT (tenant, wallet_id) DO UPDATE
   SET (public_key, network, version, kek_id, kek_version, wrapped_key, sealed_seed)
     = (EXCLUDED.public_key, EXCLUDED.network, EXCLUDED.version, EXCLUDED.kek_id, EXCLUDED.kek_version, EXCLUDED.wrapped_key,
        EXCLUDED.sealed_seed)
 WHERE EXISTS (SELECT FROM wallets w WHERE w.tenant = s.tenant AND w.id = s.wallet_id AND w.public_key = EXCLUDED.public_key)
"""  # noqa: S608 - names from code
_BY_ADDRESS: Final = f"SELECT {_COLUMNS} FROM wallet_secrets WHERE public_key = ANY($1) AND network = $2"  # noqa: S608
_OF_FACTOR: Final = f"""
SELECT {", ".join(f"s.{name}" for name in _COLUMNS.split(", "))} FROM wallet_secrets s
  JOIN second_factors f ON f.tenant = s.tenant AND f.wallet_id = s.wallet_id
 WHERE f.tenant = $1 AND f.id = $2 AND ($3::text IS NULL OR f.state = $3)
"""  # noqa: S608 - names from code
_UNDER_OTHERS: Final = f"""
SELECT {_COLUMNS} FROM wallet_secrets
 WHERE (tenant, wallet_id) > ($1, $2) AND (kek_id, kek_version) <> ($3, $4)
 ORDER BY tenant, wallet_id LIMIT $5 FOR NO KEY UPDATE
"""  # noqa: S608 - names from code
_REWRAP: Final = """
UPDATE wallet_secrets s SET kek_id = $1, kek_version = $2, wrapped_key = n.wrapped_key
  FROM unnest($3::text[], $4::text[], $5::bytea[]) AS n(tenant, wallet_id, wrapped_key)
 WHERE s.tenant = n.tenant AND s.wallet_id = n.wallet_id
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is for a wallet's name; empty where there is nothing."""

    tenant: str
    wallet_id: str
    address: str
    user_id: str
    shown_address: str
    """The wallet's own, once it is in the books."""
    legacy_secret: bytes
    """Sealed the way it was before wallets had keys of their own."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A sealed seed and its wrapped key."""

    tenant: str
    wallet_id: str
    public_key: str
    network: str
    version: int
    kek_id: str
    kek_version: int
    wrapped_key: bytes
    sealed_seed: bytes
    created_at: datetime


async def known(connection: Connection, names: Sequence[tuple[str, str]]) -> list[Known]:
    """Look at what there is for these (tenant, wallet id), in their order."""
    records = await connection.fetch(_KNOWN, [name[0] for name in names], [name[1] for name in names])
    return [Known(*record) for record in records]


async def keep(connection: Connection, secrets: Sequence[Secret]) -> None:
    """Write new secrets; one that is there gives way only to the secret of the address that the wallet has in the books."""
    await connection.execute(_KEEP, *(list(column) for column in zip(*map(_tuple, secrets), strict=True)))


async def by_address(pool: asyncpg.Pool, addresses: Sequence[str], network: str) -> dict[str, Secret]:
    """Return the secrets of these addresses; missing ones are left out."""
    return {secret.public_key: secret for secret in map(_secret, await pool.fetch(_BY_ADDRESS, list(addresses), network))}


async def lock_under_others(
    connection: Connection, after: tuple[str, str], current: tuple[str, int], *, limit: int
) -> list[Secret]:
    """Lock the next secrets whose key is not wrapped by the current one."""
    return [_secret(record) for record in await connection.fetch(_UNDER_OTHERS, *after, *current, limit)]


async def of_factor(pool: asyncpg.Pool, tenant: str, factor_id: str, state: str | None) -> Secret | None:
    """Return the secret of the wallet that a second factor belongs to, if the factor is in this state (None: in any)."""
    record = await pool.fetchrow(_OF_FACTOR, tenant, factor_id, state)
    return None if record is None else _secret(record)


async def rewrap(connection: Connection, current: tuple[str, int], changed: Sequence[tuple[str, str, bytes]]) -> None:
    """Write wrapped keys anew: tenant, wallet id, key under the current one."""
    await connection.execute(_REWRAP, *current, *(list(column) for column in zip(*changed, strict=True)))


def _secret(record: asyncpg.Record) -> Secret:
    return Secret(*record)


def _tuple(secret: Secret) -> tuple[object, ...]:
    return tuple(getattr(secret, name) for name in Secret.__slots__)

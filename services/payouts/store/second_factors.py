"""Second factors of users: what is known of them beside their keys, which are kept nowhere."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from libs.common.persistence.rows import Table
from services.payouts.domain.second_factors import Factor

Key = tuple[str, str]

FACTORS: Final = Table(
    "second_factors",
    Factor,
    {
        "tenant": "text",
        "user_id": "text",
        "id": "text",
        "wallet_id": "text",
        "state": "text",
        "last_step": "bigint",
        "failures": "integer",
        "locked_until": "timestamptz",
        "created_at": "timestamptz",
    },
    key=("tenant", "user_id"),
    lock=True,
)
_BY_USER: Final = f"""
SELECT {", ".join(f"f.{name}" for name in FACTORS.columns)} FROM second_factors f
  JOIN unnest($1::text[], $2::text[]) AS k(tenant, user_id) ON f.tenant = k.tenant AND f.user_id = k.user_id
"""  # noqa: S608 - column names from code


async def by_user(pool: asyncpg.Pool, keys: Sequence[Key]) -> dict[Key, Factor]:
    """Return the factors that exist, by (tenant, user id)."""
    records = await pool.fetch(_BY_USER, [key[0] for key in keys], [key[1] for key in keys])
    rows = [FACTORS.from_record(record) for record in records]
    return {(row.tenant, row.user_id): row for row in rows}

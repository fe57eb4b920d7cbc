"""What is noted on endpoints outside the write path."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from libs.common.persistence.rows import Connection

_VERIFY: Final = """
UPDATE endpoints e SET verified_at = $4
  FROM unnest($1::text[], $2::text[], $3::text[]) AS k(tenant, id, url)
 WHERE e.tenant = k.tenant AND e.id = k.id AND e.url = k.url AND e.verified_at IS NULL
"""


async def verify(connection: Connection, proofs: Collection[tuple[str, str, str]], *, now: datetime) -> None:
    """Note which (tenant, endpoint, URL) have shown that they want our deliveries; a URL that is no longer theirs shows nothing.

    Whoever calls has locked these endpoints.
    """
    if proofs:
        tenants, ids, urls = zip(*proofs, strict=True)
        await connection.execute(_VERIFY, tenants, ids, urls, now)

"""Whether a page of a list is cheap: the rows that Postgres came by, and the plan that led to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.contracts.replies.common import Page
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging.queries import Asked, Reader
from tests.support.plans import Cost, Explaining

LIMIT: Final = 20
HANDFUL: Final = 16
"""A row looked at ahead for each of the scans that a page is merged from, twelve at most, and the cursor's."""
GOOD: Final = {
    "Limit",
    "Merge Append",
    "Index Scan",
    "Index Only Scan",
    "Subquery Scan",
    "Nested Loop",
    "Memoize",
    "Result",
    "Function Scan",
}


def is_cheap_page(costs: Sequence[Cost], what: object, *, shown: int, tables: int = 1) -> None:
    """Twice what is shown, because near the end of a list, where hardly anything is left, the next best index is as good."""
    for cost in costs:
        assert cost.kinds <= GOOD | {"Sort", "Incremental Sort", "Append"}, f"{what}: {cost.kinds}"
        assert cost.rows_sorted <= shown, f"{what}: sorts {cost.rows_sorted} rows"
    read, buffers = sum(cost.rows_read for cost in costs), sum(cost.buffers for cost in costs)
    assert read <= 2 * tables * shown + HANDFUL, f"{what}: came by {read} rows to show {shown}"
    assert buffers <= 4 * tables * shown + 6 * HANDFUL, f"{what}: looked at {buffers} blocks"


@dataclass
class Listed:
    """One list of one service, and how to ask it."""

    reader: Reader
    pool: asyncpg.Pool
    tenant: Tenant
    query: type[msgspec.Struct]
    tables: int = 1

    async def page(self, filters: dict[str, Any], *, cursor: str | None, limit: int, is_generic: bool) -> list[str]:
        """Ask for a page, see that it was cheap, and return its ids."""
        explaining = Explaining(self.pool, is_generic=is_generic)
        query = self.query(**filters, limit=limit, cursor=cursor)
        [page] = await self.reader(explaining, [Asked(self.tenant, query)])  # type: ignore[arg-type] # it reads like a pool
        assert isinstance(page, Page), page
        is_cheap_page(explaining.costs, (query, "generic" if is_generic else ""), shown=limit + 1, tables=self.tables)
        return [msgspec.json.decode(item)["id"] for item in page.data]

    async def is_cheap(self, filters: dict[str, Any], expected: Sequence[str]) -> None:
        """Ask for the first page, one deep down and the last, as a new statement and as one prepared for long."""
        for start in {0, len(expected) // 2, max(0, len(expected) - LIMIT)}:
            cursor = expected[start - 1] if start else None
            for is_generic in (False, True):
                found = await self.page(filters, cursor=cursor, limit=LIMIT, is_generic=is_generic)
                assert found == list(expected[start : start + LIMIT]), f"{filters} from {start}"
        assert await self.page(filters, cursor=None, limit=1, is_generic=False) == list(expected[:1])


def three_tenants() -> list[Tenant]:
    """Tenants whose rows lie beside each other."""
    return [Tenant(f"{new_id('req')}:live") for _ in range(3)]


async def analyze(owner: asyncpg.Connection, *tables: str) -> None:
    """Let Postgres know what is in these tables."""
    for table in tables:
        await owner.execute(f"VACUUM ANALYZE {table}")

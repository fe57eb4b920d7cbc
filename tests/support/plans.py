"""What a statement costs, as Postgres itself counts it: rows looked at and pages of memory touched, never time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "


@dataclass(frozen=True)
class Cost:
    """One run of one statement."""

    statement: str
    nodes: tuple[dict[str, Any], ...]
    """Every node of the plan, the root first."""

    @property
    def rows_read(self) -> int:
        """Rows that scans of tables came by, shown or not."""
        return sum(_touched(node) for node in self.nodes if "Relation Name" in node)

    @property
    def rows_sorted(self) -> int:
        """Rows that went into sorts."""
        return sum(round(node["Actual Rows"] * node["Actual Loops"]) for node in self.nodes if "Sort" in node["Node Type"])

    @property
    def kinds(self) -> set[str]:
        """The kinds of node."""
        return {node["Node Type"] for node in self.nodes}

    @property
    def buffers(self) -> int:
        """Blocks of 8 KiB that were looked at."""
        return int(self.nodes[0]["Shared Hit Blocks"] + self.nodes[0]["Shared Read Blocks"])


def _touched(node: dict[str, Any]) -> int:
    removed = sum(node.get(f"Rows Removed by {cause}", 0) for cause in ("Filter", "Index Recheck", "Join Filter"))
    touched: int = round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return touched


@dataclass
class Explaining:
    """In place of a service's pool: runs each statement twice, once for its plan."""

    pool: asyncpg.Pool
    is_generic: bool = False
    """Plan as for a statement that has been prepared for long, without a look at the arguments."""
    costs: list[Cost] = field(default_factory=list)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Explain a statement, then run it."""
        async with self.pool.acquire() as connection:
            if self.is_generic:
                found = await _explain_generic(connection, statement, arguments)
            else:
                found = await connection.fetchval(_EXPLAIN + statement, *arguments)
            self.costs.append(Cost(statement, tuple(_nodes(msgspec.json.decode(found)[0]["Plan"]))))
            return list(await connection.fetch(statement, *arguments))

    async def fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        """Explain a statement, then run it."""
        return next(iter(await self.fetch(statement, *arguments)), None)


async def _explain_generic(connection: Any, statement: str, arguments: Sequence[object]) -> Any:
    literals = [await connection.fetchval("SELECT quote_nullable($1)", _text(value)) for value in arguments]
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE explained AS {statement}")
        try:
            return await connection.fetchval(f"{_EXPLAIN} EXECUTE explained ({', '.join(literals)})")
        finally:
            await connection.execute("DEALLOCATE explained")


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(f'"{item}"' for item in value) + "}"
    return str(value)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)

"""Everything a dump of the database would show, searched for what must not be there."""

import base64
from collections.abc import Iterator
from typing import Any

import asyncpg


async def places(owner: asyncpg.Connection, *needles: bytes) -> set[str]:
    """Name every `schema.table.column` of the whole database in which one of the needles occurs."""
    tables = await owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    found: set[str] = set()
    for (table,) in tables:
        for row in await owner.fetch(f"SELECT * FROM {table}"):
            for column, value in row.items():
                if any(needle in part for part in _bytes(value) for needle in needles):
                    found.add(f"{table}.{column}")
    return found


def spellings(secret: bytes) -> tuple[bytes, ...]:
    """Spell a secret in the ways it could lie about: as it is, in hexadecimal, in either base64."""
    return (
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
    )


def _bytes(value: Any) -> Iterator[bytes]:
    """Text as UTF-8, byte columns as they are stored, arrays item by item."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _bytes(item)
    elif value is not None:
        yield str(value).encode()

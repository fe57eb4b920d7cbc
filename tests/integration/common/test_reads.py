"""Reads of several tables come together, and each row belongs to the read that asked for it."""

from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from libs.common.persistence.reads import Read, read_all
from libs.common.persistence.rows import Table

pytestmark = pytest.mark.integration


class Parent(msgspec.Struct, frozen=True):
    """A row with JSON in it."""

    tenant: str
    id: str
    names: tuple[str, ...]


class Child(msgspec.Struct, frozen=True):
    """A row of other columns, one of which may be missing."""

    tenant: str
    parent_id: str
    number: int
    worth: bytes | None


PARENTS = Table("parents", Parent, {"tenant": "text", "id": "text", "names": "jsonb"}, key=("tenant", "id"))
CHILDREN = Table(
    "children",
    Child,
    {"tenant": "text", "parent_id": "text", "number": "bigint", "worth": "bytea"},
    key=("tenant", "parent_id", "number"),
)
ANNA, BEN = Parent("t", "anna", ("An", "Na")), Parent("t", "ben", ())
OF_ANNA = [Child("t", "anna", 1, b"\x00"), Child("t", "anna", 2, None)]
OF_BEN = [Child("t", "ben", 1, b"b")]
BY_NAME = Read(PARENTS, PARENTS.key, {("t", "anna"), ("t", "nobody")})
BY_PARENT = Read(CHILDREN, ("tenant", "parent_id"), {("t", "anna"), ("u", "anna")})
BY_KEY = Read(CHILDREN, CHILDREN.key, {("t", "ben", 1), ("t", "ben", 2)})


@pytest.fixture
async def family(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Two tables of this connection's own with some rows."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "CREATE TEMP TABLE parents (tenant text, id text, names jsonb, PRIMARY KEY (tenant, id));"
        "CREATE TEMP TABLE children (tenant text, parent_id text, number bigint, worth bytea)"
    )
    await PARENTS.insert(connection, [ANNA, BEN])
    await CHILDREN.insert(connection, [*OF_ANNA, *OF_BEN])
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("reads", "found"),
    [
        ([BY_NAME], [[ANNA]]),
        ([BY_NAME, BY_PARENT], [[ANNA], OF_ANNA]),
        ([BY_KEY, BY_NAME, BY_PARENT], [OF_BEN, [ANNA], OF_ANNA]),
        ([Read(PARENTS, PARENTS.key, {("t", "nobody")}), BY_KEY], [[], OF_BEN]),
    ],
    ids=["one", "two", "three", "nothing"],
)
async def test_each_read_has_its_own_rows(family: asyncpg.Connection, reads: list[Read], found: list[list[object]]) -> None:
    assert [sorted(rows, key=repr) for rows in await read_all(family, reads)] == [sorted(rows, key=repr) for rows in found]


async def test_nothing_to_read_asks_nothing(family: asyncpg.Connection) -> None:
    await family.close()
    assert await read_all(family, []) == []

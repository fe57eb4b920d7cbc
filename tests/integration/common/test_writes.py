"""Writes of several tables go together, in their order, or not at all."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from libs.common.kernel.errors import InvariantViolationError
from libs.common.messaging import write_path
from libs.common.messaging.write_path import WritePath
from libs.common.persistence.writes import COPY_ROWS, Copy, Write, write_all

pytestmark = pytest.mark.integration
PARENTS = "INSERT INTO parents SELECT id, $2::int FROM unnest($1::int[]) AS u(id)"
CHILDREN = "INSERT INTO children SELECT * FROM unnest($1::int[], $2::int[])"
RAISE = "UPDATE parents SET worth = worth + $2::int WHERE id = ANY($1::int[])"


@pytest.fixture
async def family(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Two tables of this connection's own, the second of which points at the first."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "CREATE TEMP TABLE parents (id int PRIMARY KEY, worth int);"
        "CREATE TEMP TABLE children (id int PRIMARY KEY, parent int REFERENCES parents)"
    )
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_child_may_be_written_with_its_parent(family: asyncpg.Connection) -> None:
    await write_all(family, [Write(PARENTS, ([1, 2], 10)), Write(CHILDREN, ([7, 8, 9], [1, 2, 2]))])
    counts = await family.fetch("SELECT parent, count(*) FROM children GROUP BY 1 ORDER BY 1")
    assert [tuple(record) for record in counts] == [(1, 1), (2, 2)]


async def test_a_copy_stands_between_what_was_asked_before_and_after_it(family: asyncpg.Connection) -> None:
    many = [(number, 1) for number in range(COPY_ROWS)]
    await write_all(
        family, [Write(PARENTS, ([1], 10)), Copy("children", ("id", "parent"), many), Write(RAISE, ([1], 5), 1, "parents")]
    )
    assert await family.fetchval("SELECT count(*) FROM children") == COPY_ROWS
    assert await family.fetchval("SELECT worth FROM parents") == 15


async def test_a_write_that_meets_too_few_rows_is_an_error_that_names_it(family: asyncpg.Connection) -> None:
    await write_all(family, [Write(PARENTS, ([1, 2], 10))])
    raises = [Write(RAISE, ([1], 1), 1, "the first"), Write(RAISE, ([2, 3], 1), 2, "the others")]
    with pytest.raises(InvariantViolationError, match=r"the others: 1 rows where 2 are"):
        async with family.transaction():
            await write_all(family, raises)
    assert await family.fetchval("SELECT sum(worth) FROM parents") == 20


async def test_nothing_to_write_asks_nothing(family: asyncpg.Connection) -> None:
    await family.close()
    await write_all(family, [])


@pytest.mark.parametrize(("waiting", "at_work", "wanted"), [(0, 1, 0), (1, 1, 1), (199, 2, 0), (200, 2, 1), (10_000, 2, 1)])
def test_a_second_batch_is_begun_for_a_crowd_alone(waiting: int, at_work: int, wanted: int) -> None:
    path = WritePath.__new__(WritePath)
    path._waiting = [None] * waiting  # type: ignore[assignment]
    assert path._is_wanted(at_work) is bool(wanted)
    assert write_path.CROWD < write_path.BATCH_ENVELOPES_MAX

import asyncio
from collections.abc import Sequence

import pytest

from libs.common.persistence.gathering import Gathering, StoreUnavailableError


async def test_what_comes_in_while_a_statement_is_in_flight_shares_the_next() -> None:
    seen: list[list[int]] = []
    flight = asyncio.Event()

    async def double(items: Sequence[int]) -> list[int]:
        seen.append(list(items))
        await flight.wait()
        return [item * 2 for item in items]

    gathering: Gathering[int, int] = Gathering(double, most=3)
    futures = [gathering.add(0)]
    await asyncio.sleep(0)
    futures += [gathering.add(number) for number in range(1, 6)]
    flight.set()
    assert await asyncio.gather(*futures) == [0, 2, 4, 6, 8, 10]
    assert seen == [[0], [1, 2, 3], [4, 5]]


@pytest.mark.parametrize(("error", "told"), [(OSError("gone"), StoreUnavailableError), (ZeroDivisionError(), ZeroDivisionError)])
async def test_whatever_goes_wrong_is_told_to_all_who_wait_and_the_next_are_served(
    error: Exception, told: type[Exception]
) -> None:
    troubles = [error]

    async def work(items: Sequence[int]) -> Sequence[int]:
        if troubles:
            raise troubles.pop()
        return items

    gathering: Gathering[int, int] = Gathering(work)
    lost = await asyncio.gather(gathering.add(1), gathering.add(2), return_exceptions=True)
    assert [type(each) for each in lost] == [told, told]
    assert await gathering.add(3) == 3


async def test_a_statement_that_takes_too_long_is_given_up() -> None:
    async def hang(_: Sequence[int]) -> list[int]:
        await asyncio.Event().wait()
        return []

    gathering: Gathering[int, int] = Gathering(hang, seconds=0.01)
    with pytest.raises(StoreUnavailableError):
        await gathering.add(1)

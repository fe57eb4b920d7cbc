"""The broker goes away under load and comes back; nobody restarts anything."""

import asyncpg
import pytest

from tests.chaos.outage import suffer
from tests.support.oracles import books_hold, waiting
from tests.support.stacks import own_stack
from tests.support.workers import until

pytestmark = pytest.mark.e2e


async def test_while_the_broker_is_away_writes_are_refused_at_once_and_afterwards_all_goes_on() -> None:
    async with own_stack(supervised=False, OFFERHUB_LOCAL="embedded") as stack:
        outage = await suffer(stack, clients=64, seconds=5.0)
        assert not outage.breaches(), outage
        database = await asyncpg.connect(stack.database_url())
        try:

            async def at_rest() -> bool:
                return not await waiting(database)

            await until(at_rest, seconds=60.0)
            await books_hold(database)
        finally:
            await database.close()

"""The database is put back as it was a while ago, and the chain has gone on: nothing is paid twice."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

from tests.chaos.fragile import FragileStack
from tests.chaos.payouts.load import Client, World
from tests.support.backups import back_up, restore

_CLIENTS: Final = 16
_BEFORE_SECONDS: Final = 8.0
_PAUSED_SECONDS: Final = 5.0
_AFTER_SECONDS: Final = 12.0
_PATIENCE_SECONDS: Final = 120.0
_LEDGERS: Final = 40
_POLL_SECONDS: Final = 0.25
_STANDING: Final = """
SELECT (SELECT count(*) FROM payouts.withdrawals WHERE status = 'PENDING'),
       (SELECT count(*) FROM payouts.channels WHERE is_quarantined), (SELECT count(*) FROM payouts.channels)
"""
_ENDED: Final = "SELECT count(*) FROM payouts.withdrawals WHERE status IN ('PENDING', 'PROCESSING') OR pending IS NOT NULL"


_PAUSE: Final = """
INSERT INTO payouts.asset_pauses (currency, cause, reason, since)
SELECT currency, 'operator', 'a backup', now() FROM unnest('{USD,XLM}'::text[]) AS c(currency)
"""
_RESUME: Final = "DELETE FROM payouts.asset_pauses WHERE cause = 'operator'"


@dataclass
class Restored:
    """What became of it."""

    forgotten: int = 0
    """Payments that the chain has and the backup has not."""
    waiting: int = 0
    """Withdrawals that wait by the backup's account."""
    stopped: int = 0
    """Channels in quarantine."""
    channels: int = 0
    twice: int = 0
    """Payments that were made more than once."""

    def breaches(self) -> list[str]:
        """List what must not be."""
        found = [] if self.forgotten else ["nothing was paid after the backup: nothing was shown"]
        found += [] if self.stopped else ["no channel was stopped"]
        return found + ([f"{self.twice} payments were made twice after a backup was put back"] if self.twice else [])


async def put_back(stack: FragileStack, server_url: str, world: World, say: Callable[[str], None]) -> Restored:
    """Take a backup under load, go on, put it back under running processes, kill payouts, and count payments by the chain."""
    say("the database is put back as it was before")
    stop, dice = asyncio.Event(), random.Random(world.desk.seed)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(_CLIENTS):
            tasks.create_task(Client(world, random.Random(dice.getrandbits(64)), stop).run())
        await asyncio.sleep(_BEFORE_SECONDS)
        await _tell(stack.database_url(), _PAUSE)  # so that many wait
        await asyncio.sleep(_PAUSED_SECONDS)
        before, _ = await world.network.tip()
        await back_up(server_url, stack.database_url())
        await _tell(stack.database_url(), _RESUME)
        await asyncio.sleep(_AFTER_SECONDS)
        stop.set()
    await _until_ended(stack.database_url())
    last, _ = await world.network.tip()
    await restore(server_url, stack.database_url())
    await _tell(stack.database_url(), _RESUME)
    stack.kill("payouts-1", then="")
    while (await world.network.tip())[0] < last + _LEDGERS:
        await asyncio.sleep(_POLL_SECONDS)
    made, _ = await world.network.all()
    asked = {(each.to, each.currency, each.amount) for each in world.asked}
    out = [each for each in made if (each.to, each.currency, each.amount) in asked]
    counts = Counter((each.to, each.currency, each.amount) for each in out)
    found = Restored(
        forgotten=sum(before < each.ledger <= last for each in out), twice=sum(count > 1 for count in counts.values())
    )
    database = await asyncpg.connect(stack.database_url())
    [(found.waiting, found.stopped, found.channels)] = await database.fetch(_STANDING)
    await database.close()
    say(f"  {found}")
    return found


async def _tell(url: str, statement: str) -> None:
    database = await asyncpg.connect(url)
    await database.execute(statement)
    await database.close()


async def _until_ended(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    database = await asyncpg.connect(url)
    while await database.fetchval(_ENDED) and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
    await database.close()

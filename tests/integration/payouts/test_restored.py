"""A database restored from a backup has forgotten what was paid since: nothing is paid again, on whichever channel."""

from collections.abc import Coroutine
from pathlib import Path

import asyncpg
import pytest

from libs.common.persistence.migrate import migrate
from tests.support.backups import back_up, restore
from tests.support.bank import Bank, bank
from tests.support.oracles import books_hold
from tests.support.workers import ROLE_SECRET, settings, until

pytestmark = pytest.mark.integration
CHANNELS = 3
_QUARANTINED = "SELECT count(*) FROM payouts.channels WHERE is_quarantined"
_USED = "SELECT count(DISTINCT channel) FROM payouts.slots"


async def unseen(house: Bank, done: Coroutine[None, None, None]) -> None:
    """Do something to the database while the test is not connected to it."""
    await house.desk.owner.close()
    await done
    house.desk.owner = await asyncpg.connect(house.desk.config.database_url.get_secret_value())


async def ledgers_pass(house: Bank, count: int) -> None:
    """Wait for so many more, in each of which something could have been paid."""
    last = house.chain.node.latest + count

    async def have_passed() -> bool:
        return house.chain.node.latest >= last

    await until(have_passed, seconds=60)


async def test_a_backup_from_before_the_payment_pays_nobody_again_on_any_channel(
    tmp_path: Path, own_database: str, postgres_server_url: str, amqp_url: str, bus_prefix: str
) -> None:
    """One channel has paid since, and the others stand where the backup left them: they would take what it says is waiting."""
    await migrate(own_database, role_secret=ROLE_SECRET)
    async with bank(tmp_path / "chain", settings(own_database, amqp_url, bus_prefix), channels=CHANNELS) as house:
        async with house.desk.ledger(), house.desk.payouts():
            made = await house.withdraw_all("ana", "ben")
        await unseen(house, back_up(postgres_server_url, own_database))
        async with house.desk.ledger(), house.ticking(), house.payouts():
            await house.all_are(made, "COMPLETED")
            await house.is_right(made)
        assert await house.desk.owner.fetchval(_USED) == 1
        await unseen(house, restore(postgres_server_url, own_database))
        async with house.desk.ledger(), house.ticking(), house.payouts():
            await until(lambda: house.desk.owner.fetchval(_QUARANTINED))
            await ledgers_pass(house, 5)
            assert [await house.desk.status(each) for each in made.values()] == ["PENDING", "PENDING"]
            assert await house.paid() == {"ana": 5, "ben": 5, "cleo": 0}
        await books_hold(house.desk.owner)


async def test_a_backup_from_amid_the_payment_finds_it_on_the_chain(
    tmp_path: Path, own_database: str, postgres_server_url: str, amqp_url: str, bus_prefix: str
) -> None:
    """The slot was open and its transaction signed: whatever happened to it since is read from the chain."""
    await migrate(own_database, role_secret=ROLE_SECRET)
    async with bank(tmp_path / "chain", settings(own_database, amqp_url, bus_prefix), channels=CHANNELS) as house:
        async with house.desk.ledger(), house.payouts():
            made = await house.withdraw_all("ana", "ben")
            await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes WHERE told = 'TAKEN'"))
        await unseen(house, back_up(postgres_server_url, own_database))
        async with house.desk.ledger(), house.ticking(), house.payouts():
            await house.all_are(made, "COMPLETED")
        await unseen(house, restore(postgres_server_url, own_database))
        async with house.desk.ledger(), house.ticking(), house.payouts():
            await house.all_are(made, "COMPLETED")
            await house.is_right(made)
        assert await house.desk.owner.fetchval(_QUARANTINED) == 0
        await books_hold(house.desk.owner)

"""After an older backup is restored nobody is paid twice, and what it has forgotten is taken into the books from the chain."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.payouts.entrypoints.lifting import lift
from services.payouts.settings import PayoutsSettings
from tests.support.bank import Bank, bank
from tests.support.chain import address
from tests.support.oracles import books_hold
from tests.support.payouts import PAYOUTS
from tests.support.workers import ROLE_SECRET, settings, until

pytestmark = pytest.mark.integration
KEPT = ("withdrawals", "channels", "slots", "slot_items", "envelopes")
STOPPED = "SELECT public_key FROM payouts.channels WHERE is_quarantined"


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix), channels=2) as opened:
        await opened.clear()
        # what another test left under way asks for the same payments as ours
        await opened.desk.owner.execute(
            "UPDATE payouts.withdrawals SET status = 'CANCELED' WHERE status IN ('PENDING', 'PROCESSING')"
        )
        async with opened.desk.ledger(), opened.ticking():
            yield opened


async def back_up(house: Bank) -> None:
    for table in KEPT:
        await house.desk.owner.execute(f"CREATE TEMP TABLE kept_{table} AS SELECT * FROM payouts.{table}")


async def restore(house: Bank) -> None:
    owner = house.desk.owner
    for table in reversed(KEPT[1:]):
        await owner.execute(f"DELETE FROM payouts.{table}")
    await owner.execute("DELETE FROM payouts.withdrawals WHERE tenant = $1", house.desk.tenant)
    await owner.execute("INSERT INTO payouts.withdrawals SELECT * FROM kept_withdrawals WHERE tenant = $1", house.desk.tenant)
    for table in KEPT[1:]:
        await owner.execute(f"INSERT INTO payouts.{table} SELECT * FROM kept_{table}")
    await owner.execute("DELETE FROM payouts.inbox")
    await house.hurry()


async def ask(house: Bank, channel: str, *, is_only_told: bool = False) -> tuple[int, str]:
    values: dict[str, Any] = PAYOUTS | {
        "horizon_url": house.chain.url,
        "database_url": house.desk.config.database_url,
        "db_role_secret": ROLE_SECRET,
        "amqp_url": house.desk.config.amqp_url,
        "bus_prefix": house.desk.config.bus_prefix,
        "queue_expires_ms": house.desk.config.queue_expires_ms,
        "signer_socket": house.signer.socket,
    }
    lines: list[str] = []
    code = await lift(PayoutsSettings(**values), channel, lines.append, is_only_told=is_only_told)
    return code, "\n".join(lines)


async def wait_waiting(house: Bank, *people: str) -> dict[str, str]:
    """Take withdrawals on that nobody pays yet."""
    async with house.desk.payouts():
        return await house.withdraw_all(*people)


async def test_what_a_backup_has_forgotten_is_adopted_and_nobody_is_paid_twice(house: Bank) -> None:
    """One of two channels was used since; the other must not pay what the first has paid."""
    async with house.payouts():
        await house.all_are(await house.withdraw_all("cleo"), "COMPLETED")
    made = await wait_waiting(house, "ana", "ben")
    await back_up(house)
    async with house.payouts():
        await house.all_are(made, "COMPLETED")
    paid = await house.paid()
    await restore(house)
    async with house.payouts():
        channel = await until(lambda: house.desk.owner.fetchval(STOPPED))
        assert {await house.desk.status(each) for each in made.values()} == {"PENDING"}
        code, told = await ask(house, channel, is_only_told=True)
        assert code == 0
        assert all(each in told for each in made.values())
        assert await house.desk.owner.fetchval(STOPPED) == channel
        code, told = await ask(house, channel)
        assert (code, "adopted" in told) == (0, True)
        await house.hurry()
        await house.all_are(made, "COMPLETED")
        assert (await ask(house, channel))[0] == 1  # nothing to lift
        more = await house.withdraw_all("ana")
        await house.all_are(more, "COMPLETED")
    assert await house.paid() == paid + Counter(ana=5)
    for each in made.values():
        assert await house.desk.journals(each) == ["settle", "withdraw"]
    await books_hold(house.desk.owner)


async def test_a_payment_that_nobody_here_asked_for_keeps_the_quarantine_and_is_named(house: Bank) -> None:
    async with house.payouts():
        await house.all_are(await house.withdraw_all("cleo"), "COMPLETED")
    await back_up(house)
    made = await wait_waiting(house, "ana")
    async with house.payouts():
        await house.all_are(made, "COMPLETED")
        transaction = (await house.desk.shown(made["ana"]))["transaction"]["hash"]
    await restore(house)
    async with house.payouts():
        waiting = await house.withdraw_all("ben")
        channel = await until(lambda: house.desk.owner.fetchval(STOPPED))
        code, told = await ask(house, channel)
        assert (code, f"{transaction}: it pays 50000000 stroops" in told, address("ana") in told) == (1, True, True)
        assert await house.desk.owner.fetchval(STOPPED) == channel
        assert await house.desk.status(waiting["ben"]) == "PENDING"
    assert (await house.paid())["ben"] == 0


async def test_a_slot_that_was_taken_by_what_is_forgotten_pays_nobody_again(house: Bank) -> None:
    made = await wait_waiting(house, "ana", "ben")
    house.signer.is_away = True
    async with house.payouts():
        await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes"))
    await back_up(house)
    await house.desk.owner.execute("DELETE FROM kept_envelopes")
    house.signer.is_away = False
    await house.hurry()
    async with house.payouts():
        await house.all_are(made, "COMPLETED")
    paid = await house.paid()
    await restore(house)
    async with house.payouts():
        channel = await until(lambda: house.desk.owner.fetchval(STOPPED))
        assert await house.desk.owner.fetchval("SELECT count(*) FROM payouts.slots WHERE state = 'OPEN'") == 1
        code, told = await ask(house, channel)
        assert (code, told.count("PAID")) == (0, 2)
        await house.hurry()
        await house.all_are(made, "COMPLETED")
    assert await house.paid() == paid
    await books_hold(house.desk.owner)

"""Each withdrawal is paid exactly once or returned exactly once, by the chain's own account of it, whatever dies or lies."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from stellar_sdk import MuxedAccount

from libs.common.contracts.commands.payouts import CancelWithdrawal
from libs.common.kernel.clock import SystemClock
from libs.common.messaging import faults
from libs.common.messaging.worker import Worker
from tests.support.bank import PEOPLE, Bank, bank
from tests.support.chain import address
from tests.support.market import die_in
from tests.support.oracles import books_hold
from tests.support.workers import kill, settings, until

pytestmark = pytest.mark.integration

POINTS = [point for point in faults.POINTS if point.startswith(("slot.", "envelope."))]


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    config = settings(postgres_url, amqp_url, bus_prefix)
    async with bank(tmp_path / "chain", config) as opened:
        await opened.clear()
        yield opened


async def test_a_batch_is_paid_in_one_transaction_and_booked(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking():
        async with house.desk.payouts():
            made = await house.withdraw_all(*PEOPLE)
        async with house.payouts():
            await house.all_are(made, "COMPLETED")
            shown = await house.desk.shown(made["ana"])
        await house.is_right(made)
        [transaction] = await house.transactions()
        assert shown["transaction"]["hash"] == transaction["hash"]
        assert shown["transaction"]["ledger"] == transaction["ledger"]
    await books_hold(house.desk.owner)


async def test_payouts_killed_at_any_point_of_a_payment_pays_once(house: Bank) -> None:
    """The next process finds what was left, and dies at the same point when it comes there; the one after it goes on."""

    async def die(process: Worker, point: str, person: str) -> dict[str, str]:
        died = die_in("payouts", point)
        made = await house.withdraw_all(person)
        await asyncio.wait_for(died.wait(), 30)
        await kill(process)
        faults.clear_traps()
        await house.hurry()
        return made

    async with house.desk.ledger(), house.ticking():
        made: dict[str, str] = {}
        for point in (*POINTS, ""):
            async with house.payouts() as first:
                await house.all_are(made, "COMPLETED", seconds=60)
                await house.is_right(made)
                if point:
                    made = await die(first, point, "ana")
            if point:
                async with house.payouts() as second:
                    made |= await die(second, point, "ben")
    await books_hold(house.desk.owner)


async def test_one_that_can_not_receive_is_returned_and_the_others_are_paid(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking():
        async with house.desk.payouts():
            made = await house.withdraw_all("ana", "nobody", "ben")
        async with house.payouts():
            await house.all_are(made, "COMPLETED", "FAILED")
            failed = await house.desk.shown(made["nobody"])
        assert failed["failure"] == {"code": "op_no_destination", "reason": "Destination account does not exist"}
        await house.is_right(made, unpaid=("nobody",))
        assert [each["successful"] for each in await house.transactions()] == [False, True]
    await books_hold(house.desk.owner)


async def test_one_that_failed_for_anothers_sake_goes_before_what_came_later(house: Bank) -> None:
    async with house.desk.ledger():
        async with house.desk.payouts():
            made = await house.withdraw_all("ana", "nobody")
        async with house.payouts():
            await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.slots"))
            made |= await house.withdraw_all("ben")
            await until(lambda: house.desk.sent_from(made["ben"]))
            async with house.ticking():
                await house.all_are(made, "COMPLETED", "FAILED")
            await house.is_right(made, unpaid=("nobody",))
            ana, ben = [(await house.desk.shown(made[name]))["transaction"]["ledger"] for name in ("ana", "ben")]
    assert ana < ben


async def test_two_workers_on_one_channel_pay_once(house: Bank) -> None:
    """The second takes the lease over again and again, as if the first were paused whenever it works."""

    async def steal() -> None:
        while True:
            await house.desk.owner.execute("UPDATE payouts.channels SET lease_until = now() - interval '1 second'")
            await asyncio.sleep(0.01)

    async with house.desk.ledger(), house.ticking(), house.payouts(), house.payouts():
        thief = asyncio.create_task(steal())
        made = await house.withdraw_all(*PEOPLE)
        await house.all_are(made, "COMPLETED")
        thief.cancel()
        await asyncio.gather(thief, return_exceptions=True)
        await house.is_right(made)


async def test_one_in_flight_is_called_off_by_a_tombstone_in_its_slot(house: Bank) -> None:
    async with house.desk.ledger(), house.payouts():
        made = await house.withdraw_all("ana")
        await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes WHERE told = 'TAKEN'"))
        asked = await house.desk.do(CancelWithdrawal(made["ana"], "wrong"), service="payouts")
        assert (asked["status"], asked["cancel_requested"]) == ("PROCESSING", True)
        taken = "SELECT count(*) FROM payouts.envelopes WHERE kind = 'tombstone' AND told = 'TAKEN'"
        await until(lambda: house.desk.owner.fetchval(taken))
        async with house.ticking():
            await house.all_are(made, "CANCELED")
        await house.is_right(made, unpaid=("ana",))
        [tombstone] = await house.transactions()
        shown = await house.desk.shown(made["ana"])
        assert shown["transaction"]["hash"] == tombstone["hash"]
        assert tombstone["operation_count"] == 1
    await books_hold(house.desk.owner)


async def test_one_that_is_called_off_too_late_is_paid(house: Bank) -> None:
    async with house.desk.ledger(), house.payouts():
        made = await house.withdraw_all("ana")
        await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes WHERE told = 'TAKEN'"))
        house.signer.is_away = True  # no tombstone in time
        await house.desk.do(CancelWithdrawal(made["ana"]), service="payouts")
        async with house.ticking():
            await house.all_are(made, "COMPLETED")
        await house.is_right(made)
        assert (await house.desk.shown(made["ana"]))["cancel_requested"]


async def test_what_is_not_taken_in_time_is_built_again_in_its_slot(house: Bank) -> None:
    """Nobody gets in for what we are ready to bid; when the ledgers have passed there is another generation."""
    await house.chain.http.put("/sandbox/network", json={"least_bid": 10_000_000})
    async with house.desk.ledger(), house.ticking(), house.payouts():
        made = await house.withdraw_all("ana", "ben")
        await until(
            lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes WHERE generation >= 3 AND bid = 100000")
        )
        await house.chain.http.put("/sandbox/network", json={"least_bid": 100})
        await house.all_are(made, "COMPLETED")
        await house.is_right(made)
    assert await house.desk.owner.fetchval("SELECT count(DISTINCT (channel, sequence)) FROM payouts.envelopes") == 1
    assert await house.desk.owner.fetchval("SELECT max(bid) FROM payouts.envelopes") == 100_000


async def test_a_payment_with_a_memo_goes_alone_and_a_number_in_the_address_arrives(house: Bank) -> None:
    muxed = MuxedAccount(address("cleo"), 7).account_muxed or ""
    async with house.desk.ledger(), house.ticking():
        async with house.desk.payouts():
            users = [await house.desk.user(balance=5) for _ in PEOPLE]
            made = {
                "ana": await house.desk.withdraw(users[0], 5, address=address("ana"), memo_type="text", memo="rent"),
                "ben": await house.desk.withdraw(users[1], 5, address=address("ben")),
                "cleo": await house.desk.withdraw(users[2], 5, address=muxed),
            }
        async with house.payouts():
            await house.all_are(made, "COMPLETED")
        await house.is_right(made)
    transactions = await house.transactions()
    assert sorted((each["memo_type"], each.get("memo"), each["operation_count"]) for each in transactions) == [
        ("none", None, 2),
        ("text", "rent", 1),
    ]


async def test_more_is_bid_until_the_network_takes_it_and_never_more_than_the_most(house: Bank) -> None:
    await house.chain.http.put("/sandbox/network", json={"least_bid": 5_000})
    async with house.desk.ledger(), house.ticking(0.2), house.payouts():
        made = await house.withdraw_all("ana")
        await house.all_are(made, "COMPLETED")
        await house.is_right(made)
    made_of = await house.desk.owner.fetch("SELECT bid, generation, inner_hash FROM payouts.envelopes ORDER BY created_at")
    bids = [bid for bid, _, _ in made_of]
    assert bids == sorted(bids)
    assert set(bids) == {200, 2_000, 20_000}
    assert len({inner for _, _, inner in made_of}) == len({generation for _, generation, _ in made_of})


@pytest.mark.parametrize(
    "restored",
    [
        "UPDATE payouts.channels SET next_sequence = next_sequence - 1",
        "TRUNCATE payouts.envelopes, payouts.slot_items, payouts.slots, payouts.channels",
    ],
    ids=["an older backup", "a backup from before the first payment"],
)
async def test_a_chain_ahead_of_the_database_stops_its_channel(house: Bank, restored: str) -> None:
    async with house.desk.ledger(), house.ticking():
        async with house.payouts():
            await house.all_are(await house.withdraw_all("ana"), "COMPLETED")
        await house.desk.owner.execute(restored)
        await house.hurry()
        async with house.payouts():
            made = await house.withdraw_all("ben")
            stopped = "SELECT reason FROM payouts.channels WHERE is_quarantined"
            assert "the chain is at" in await until(lambda: house.desk.owner.fetchval(stopped))
            assert (await house.paid())["ben"] == 0

            async def is_told() -> bool:
                return REGISTRY.get_sample_value("offerhub_channels_quarantined") == 1

            await until(is_told)
            assert await house.desk.status(made["ben"]) == "PENDING"


async def test_a_signer_that_is_away_only_delays(house: Bank) -> None:
    house.signer.is_away = True
    async with house.desk.ledger(), house.ticking(), house.payouts():
        made = await house.withdraw_all("ana")
        await until(lambda: house.desk.owner.fetchval("SELECT count(*) FROM payouts.envelopes"))
        house.signer.is_away = False
        await house.all_are(made, "COMPLETED")
        await house.is_right(made)


class SlowClock:
    """An hour behind everybody else's."""

    def now(self) -> datetime:
        return SystemClock().now() - timedelta(hours=1)


async def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(house: Bank) -> None:
    """When a transaction must be in, and whether it can still be, is told by the chain's ledgers and the chain's clock."""
    await house.chain.fault("stale_history", match={"path": f"/accounts/{address('nobody')}"})
    async with house.desk.ledger(), house.ticking(), house.payouts(clock=SlowClock()):
        made = await house.withdraw_all("ana", "nobody")
        await house.all_are(made, "COMPLETED", "FAILED")
        await house.is_right(made, unpaid=("nobody",))


async def test_another_network_is_not_paid_on(house: Bank) -> None:
    """The sandbox was set up anew under another name, or the address is wrong."""
    async with house.desk.ledger(), house.ticking():
        name = await house.chain.fault("slow", match={"path": "/"})
        async with house.payouts(network_passphrase="Another network"):
            made = await house.withdraw_all("ana")

            async def was_asked_twice() -> bool:
                return await house.chain.fired(name) > 1

            await until(was_asked_twice)
            assert (await house.desk.status(made["ana"])) == "PENDING"
        assert house.signer.signed == []

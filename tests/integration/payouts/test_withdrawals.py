"""A withdrawal's money is with the user, on its way, or gone: never in two of these places, whoever dies."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial

import msgspec
import pytest

from libs.common.contracts.commands.payouts import CancelWithdrawal, RefreshWithdrawal
from libs.common.contracts.queries.payouts import GetWithdrawal, ListWithdrawals
from libs.common.kernel.ids import new_id
from libs.common.messaging import faults
from tests.support.market import Refused, codes, die_in
from tests.support.oracles import books_hold, outboxes_are_empty
from tests.support.withdrawals import Desk
from tests.support.workers import kill, settings, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def desk(postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Desk]:
    async with Desk.on(settings(postgres_url, amqp_url, bus_prefix)) as made:
        yield made


async def _is(desk: Desk, withdrawal_id: str, status: str) -> bool:
    return await desk.status(withdrawal_id) == status


async def _hurry(desk: Desk) -> None:
    await desk.owner.execute("UPDATE payouts.withdrawals SET pending_due = now() WHERE pending_due IS NOT NULL")
    for schema in ("payouts", "ledger"):
        await desk.owner.execute(f"UPDATE {schema}.outbox SET publish_after = now()")


async def test_the_balance_is_debited_at_once_and_what_is_canceled_comes_back(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts():
        user = await desk.user(balance=100)
        withdrawal = await desk.withdraw(user, 50, memo_type="id", memo="7")
        shown = await desk.shown(withdrawal)
        assert (shown["status"], shown["amount"], shown["userId"]) == ("PENDING", "50.00", user)
        assert shown["destination"]["memo"] == "7"
        assert await desk.balance(user) == ("50.00", "0.00")
        again = await desk.do(RefreshWithdrawal(withdrawal), service="payouts")
        assert again["status"] == "PENDING"
        canceled = await desk.do(CancelWithdrawal(withdrawal), service="payouts")
        assert (canceled["status"], canceled["transaction"]) == ("CANCELED", None)
        assert await desk.balance(user) == ("100.00", "0.00")
        await desk.withdraw(user, 100)  # the next one may begin
    await books_hold(desk.owner)


async def test_a_refused_debit_leaves_no_withdrawal(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts():
        user = await desk.user(balance=10)
        with pytest.raises(Refused) as refused:
            await desk.withdraw(user, 50)
        assert (refused.value.code, refused.value.details["available"]) == ("INSUFFICIENT_FUNDS", "10.00")
        with pytest.raises(Refused, match="USER_NOT_FOUND"):
            await desk.withdraw(new_id("usr"))
        listed = await desk.query(ListWithdrawals(user_id=user), "payouts")
        assert listed["data"] == []
        await desk.withdraw(user, 10)


async def test_of_withdrawals_at_one_instant_one_begins(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(), desk.payouts():
        user = await desk.user(balance=100)
        assert await codes([desk.withdraw(user, 10) for _ in range(8)]) == ["WITHDRAWAL_IN_PROGRESS"] * 7 + ["ok"]
        assert await desk.balance(user) == ("90.00", "0.00")


@pytest.mark.parametrize(
    ("ending", "status", "balance"),
    [("PAID", "COMPLETED", "50.00"), ("FAILED", "FAILED", "100.00"), ("CANCELED", "CANCELED", "100.00")],
)
async def test_what_the_chain_decided_is_booked_once_however_often_it_is_told(
    desk: Desk, ending: str, status: str, balance: str
) -> None:
    async with desk.ledger(), desk.payouts() as worker:
        user = await desk.user(balance=100)
        withdrawal = await desk.withdraw(user)
        await desk.send_off(withdrawal)
        await desk.conclude(withdrawal, ending, worker=worker, times=3, code="op_no_trust", reason="No trustline")
        await until(lambda: _is(desk, withdrawal, status))
        assert await desk.balance(user) == (balance, "0.00")
        shown = await desk.shown(withdrawal)
        assert (shown["failure"] or {}).get("code") == ("op_no_trust" if status == "FAILED" else None)
        assert (shown["transaction"] or {}).get("hash") == (None if status == "FAILED" else "ab" * 32)
        with pytest.raises(Refused, match="INVALID_STATE"):
            await desk.do(CancelWithdrawal(withdrawal), service="payouts")
        await desk.withdraw(user, 10)
    await books_hold(desk.owner)


async def test_one_that_is_on_its_way_is_only_asked_to_stop(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts():
        user = await desk.user(balance=100)
        withdrawal = await desk.withdraw(user)
        await desk.send_off(withdrawal)
        asked = await desk.do(CancelWithdrawal(withdrawal, "wrong"), service="payouts")
        assert (asked["status"], asked["cancel_requested"]) == ("PROCESSING", True)
        assert await desk.balance(user) == ("50.00", "0.00")


async def test_payouts_killed_at_any_point_of_a_debit_debits_once(desk: Desk) -> None:
    """The first pass is the write transaction of the intent, the second that of the ledger's answer."""
    points = [(point, nth) for point in faults.POINTS if point.startswith("write.") for nth in (1, 2)]
    async with desk.ledger():
        for point, nth in points:
            user, withdrawal, command = await desk.user(balance=100), new_id("wth"), new_id("cmd")
            terms = desk.terms(withdrawal, user)
            async with desk.payouts() as first:
                died = die_in("payouts", point, after=nth)
                asking = asyncio.create_task(desk.do(terms, command, service="payouts"))
                await asyncio.wait_for(died.wait(), 60)
                await kill(first)
            faults.clear_traps()
            await _hurry(desk)
            async with desk.payouts():
                await until(partial(_is_booked, desk, withdrawal))
                asking.cancel()
                again = await desk.do(terms, command, service="payouts")
                assert again["status"] == "PENDING", (point, nth)
            assert await desk.balance(user) == ("50.00", "0.00"), (point, nth)
            assert await desk.journals(withdrawal) == ["withdraw"]
    await books_hold(desk.owner)


async def test_a_sweeper_killed_while_it_asks_again_debits_once(desk: Desk) -> None:
    async with desk.ledger():
        user = await desk.user(balance=100)
    withdrawal = new_id("wth")
    for tries in (1, 2, 3):
        async with desk.payouts() as first:
            died = die_in("payouts", "intent.resend")
            asking = asyncio.create_task(desk.do(desk.terms(withdrawal, user), f"cmd_{withdrawal}", service="payouts"))
            await until(partial(desk.stored, withdrawal))
            await _hurry(desk)
            await asyncio.wait_for(died.wait(), 60)
            await kill(first)
            asking.cancel()
        faults.clear_traps()
        stored = await desk.stored(withdrawal)
        assert stored is not None
        assert stored["pending_tries"] == tries
    await _hurry(desk)
    async with desk.ledger(), desk.payouts():
        await until(partial(_is_booked, desk, withdrawal))
        assert await desk.balance(user) == ("50.00", "0.00")
    assert await desk.journals(withdrawal) == ["withdraw"]


async def _is_booked(desk: Desk, withdrawal: str) -> bool:
    row = await desk.stored(withdrawal)
    return row is not None and row["is_booked"] and await outboxes_are_empty(desk.owner, "payouts", "ledger")


async def test_a_list_is_filtered_and_others_see_nothing(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts():
        users = [await desk.user(balance=100) for _ in range(3)]
        made = [await desk.withdraw(user) for user in users]
        await desk.do(CancelWithdrawal(made[1]), service="payouts")
        found = await desk.query(ListWithdrawals(limit=2), "payouts")
        assert [item["id"] for item in found["data"]] == [made[2], made[1]]
        rest = await desk.query(ListWithdrawals(cursor=found["next_cursor"]), "payouts")
        assert [item["id"] for item in rest["data"]] == [made[0]]
        for query, ids in (({"status": "CANCELED"}, [made[1]]), ({"user_id": users[0]}, [made[0]]), ({"user_id": "usr_no"}, [])):
            assert [item["id"] for item in (await desk.query(msgspec.convert(query, ListWithdrawals), "payouts"))["data"]] == ids
        with pytest.raises(Refused, match="WITHDRAWAL_NOT_FOUND"):
            await desk.query(GetWithdrawal("wth_none"), "payouts")


async def test_a_process_that_is_told_to_stop_while_the_signer_is_away_stops_and_another_one_does_its_work(desk: Desk) -> None:
    async with desk.ledger():
        user = await desk.user(balance=50)
        async with desk.payouts(signer_socket="/nowhere") as worker:
            asked = asyncio.create_task(desk.withdraw(user, 5))

            async def is_waiting() -> bool:
                return bool(worker.write_path._runners)

            await until(is_waiting)
            began = time.monotonic()
        assert time.monotonic() - began < 12  # it would wait for as long as the signer is away
        async with desk.payouts():
            await asked
        assert await desk.balance(user) == ("45.00", "0.00")

"""What may leave a day, what a second person must agree to, what waits because it goes somewhere new, and what is unusual."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from libs.common.contracts.commands.payouts import ApproveWithdrawal, CancelWithdrawal
from services.payouts.handlers.count_flags import FLAGGED
from tests.support.chain import address
from tests.support.market import Refused, codes
from tests.support.oracles import books_hold
from tests.support.withdrawals import ADDRESS, Desk
from tests.support.workers import settings, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def desk(postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Desk]:
    async with Desk.on(settings(postgres_url, amqp_url, bus_prefix)) as made:
        yield made


async def test_a_user_withdraws_no_more_a_day_than_may_be_and_what_comes_back_does_not_count(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(user_daily=100):
        user = await desk.user(balance=500)
        first = await desk.withdraw(user, 60)
        await desk.do(CancelWithdrawal(first), service="payouts")
        await desk.do(CancelWithdrawal(await desk.withdraw(user, 100)), service="payouts")
        with pytest.raises(Refused, match="INSUFFICIENT_FUNDS"):
            await desk.withdraw(await desk.user(balance=1), 90)
        second = await desk.withdraw(user, 60)
        await desk.send_off(second)
        await desk.owner.execute("DELETE FROM payouts.withdrawals_in_flight WHERE user_id = $1", user)
        with pytest.raises(Refused) as refused:
            await desk.withdraw(user, 41)
        assert (refused.value.code, refused.value.details["limit"], refused.value.details["used"]) == (
            "AMOUNT_ABOVE_MAXIMUM",
            "user_daily",
            "60.00",
        )
        await desk.withdraw(user, 40)
        assert await desk.balance(user) == ("400.00", "0.00")
    await books_hold(desk.owner)


async def test_all_together_withdraw_no_more_a_day_whatever_comes_at_one_instant(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(daily=100), desk.payouts(daily=100):
        users = [await desk.user(balance=50) for _ in range(6)]
        assert await codes([desk.withdraw(user, 30) for user in users]) == ["AMOUNT_ABOVE_MAXIMUM"] * 3 + ["ok"] * 3


async def test_one_withdrawal_has_a_maximum(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(maximum=30):
        user = await desk.user(balance=50)
        with pytest.raises(Refused, match="AMOUNT_ABOVE_MAXIMUM"):
            await desk.withdraw(user, 31)
        await desk.withdraw(user, 30)


async def test_a_large_one_waits_until_another_key_agrees(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(approval_over=100):
        user = await desk.user(balance=500)
        withdrawal = await desk.withdraw(user, 101, asked_by="key_a")
        assert (await desk.shown(withdrawal))["hold"] == {"reason": "APPROVAL", "until": None}
        assert await desk.sent_from(withdrawal) is None
        with pytest.raises(Refused, match="FORBIDDEN_ACTOR"):
            await desk.do(ApproveWithdrawal(withdrawal, "key_a"), service="payouts")
        approved = await desk.do(ApproveWithdrawal(withdrawal, "key_b"), service="payouts")
        assert (approved["status"], approved["hold"]) == ("PENDING", None)
        assert await desk.sent_from(withdrawal) is not None
        with pytest.raises(Refused, match="INVALID_STATE"):
            await desk.do(ApproveWithdrawal(withdrawal, "key_c"), service="payouts")
        small = await desk.withdraw(await desk.user(balance=100), 100, asked_by="key_a")
        with pytest.raises(Refused, match="INVALID_STATE"):
            await desk.do(ApproveWithdrawal(small, "key_b"), service="payouts")


async def test_one_that_waits_for_an_approval_can_be_called_off(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(approval_over=100):
        user = await desk.user(balance=500)
        withdrawal = await desk.withdraw(user, 200, asked_by="key_a")
        assert (await desk.do(CancelWithdrawal(withdrawal), service="payouts"))["status"] == "CANCELED"
        assert await desk.balance(user) == ("500.00", "0.00")
        with pytest.raises(Refused, match="INVALID_STATE"):
            await desk.do(ApproveWithdrawal(withdrawal, "key_b"), service="payouts")


async def test_a_new_destination_waits_and_one_that_is_known_does_not(desk: Desk) -> None:
    async with desk.ledger(), desk.payouts(cool_off_seconds=3_600) as worker:
        user = await desk.user(balance=500)
        with pytest.raises(Refused, match="INSUFFICIENT_FUNDS"):
            await desk.withdraw(user, 501)  # what never was makes no destination known
        first = await desk.withdraw(user, 5)
        stored = await desk.stored(first)
        assert stored is not None
        assert stored["waiting_from"] == stored["hold_until"] == stored["created_at"] + timedelta(hours=1)
        assert (await desk.shown(first))["hold"]["reason"] == "NEW_DESTINATION"
        await desk.send_off(first)
        await desk.conclude(first, "PAID", worker=worker)

        async def is_over() -> bool:
            return await desk.status(first) == "COMPLETED"

        await until(is_over)
        move = "UPDATE payouts.withdrawal_destinations SET first_at = first_at - interval '2 hours' WHERE user_id = $1"
        await desk.owner.execute(move, user)
        second = await desk.withdraw(user, 5)
        assert (await desk.shown(second))["hold"] is None
        await desk.do(CancelWithdrawal(second), service="payouts")
        third = await desk.withdraw(user, 5, address=ADDRESS, memo_type="id", memo="7")  # another customer of the same exchange
        assert (await desk.shown(third))["hold"]["reason"] == "NEW_DESTINATION"


async def test_what_is_unusual_is_flagged_and_leaves_all_the_same(desk: Desk) -> None:
    before = FLAGGED.labels("DESTINATION")._value.get()
    async with desk.ledger(), desk.payouts(flag_over=100, flag_count=2):
        user = await desk.user(balance=5_000)
        told: list[list[str]] = []
        withdrawal = ""
        for units, where in ((50, ADDRESS), (100, ADDRESS), (600, ADDRESS), (600, address("ana"))):
            withdrawal = await desk.withdraw(user, units, address=where)
            told.append((await desk.shown(withdrawal))["flags"])
            assert await desk.sent_from(withdrawal) is not None
            await desk.owner.execute("DELETE FROM payouts.withdrawals_in_flight WHERE user_id = $1", user)
        assert told == [[], [], ["AMOUNT", "RATE"], ["RATE", "DESTINATION"]]
        query = "SELECT sequence FROM payouts.withdrawals WHERE id = $1"
        assert await desk.owner.fetchval(query, withdrawal) == 2  # created, and flagged
    assert FLAGGED.labels("DESTINATION")._value.get() == before + 1

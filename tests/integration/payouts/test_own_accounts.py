"""Whose account holds the amount pays it, signed with its own key; nobody is paid twice for that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stellar_sdk import Payment

from libs.common.kernel.clock import SystemClock
from libs.common.messaging import faults
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.entrypoints.treasury import FAULT_FOR
from services.payouts.store import pauses
from tests.support.bank import USDC, Bank, bank, units_of
from tests.support.chain import address
from tests.support.market import die_in
from tests.support.workers import kill, settings, until

pytestmark = pytest.mark.integration


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        await opened.clear()
        yield opened


async def pays_in(house: Bank, user: str, units: int) -> str:
    """Have somebody pay to a user's own account, wait for the credit, and return the account."""
    query = "SELECT public_key FROM payouts.wallets WHERE user_id = $1 AND chain_state = 'READY'"
    account: str = await until(lambda: house.desk.owner.fetchval(query, user))
    answer = await house.chain.submit(house.chain.build("issuer", Payment(account, USDC, str(units))))
    assert answer.status_code == 201
    credited = "SELECT count(*) FROM payouts.deposits WHERE account = $1 AND status = 'CREDITED'"
    await until(lambda: house.desk.owner.fetchval(credited, account))
    return account


async def held(house: Bank, account: str) -> int:
    return units_of((await house.chain.get("/sandbox/balances"))["accounts"][account])


async def test_who_has_it_in_an_account_of_their_own_is_paid_from_there(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking(), house.payouts():
        rich, poor = await house.desk.user(), await house.desk.user(balance=5)
        account = await pays_in(house, rich, 20)
        made = {
            "ana": await house.desk.withdraw(rich, 5, address=address("ana")),
            "ben": await house.desk.withdraw(poor, 5, address=address("ben")),
        }
        await house.all_are(made, "COMPLETED")
    assert (await held(house, account), await held(house, address("treasury"))) == (15, 9_995)
    assert await house.paid() == {"ana": 5, "ben": 5, "cleo": 0}


async def test_payouts_killed_at_any_point_pays_from_the_own_account_once(house: Bank) -> None:
    async with house.desk.ledger(), house.ticking():
        async with house.payouts():
            user = await house.desk.user()
            account = await pays_in(house, user, 100)
        for count, point in enumerate(("slot.assigned", "envelope.signed", "envelope.submitted", "slot.found"), 1):
            async with house.payouts() as first:
                died = die_in("payouts", point)
                made = {"ana": await house.desk.withdraw(user, 5, address=address("ana"))}
                await asyncio.wait_for(died.wait(), 60)
                await kill(first)
            faults.clear_traps()
            await house.hurry()
            async with house.payouts():
                await house.all_are(made, "COMPLETED")
            assert (await held(house, account), await held(house, address("ana"))) == (100 - 5 * count, 5 * count)
    assert await held(house, address("treasury")) == 10_000


async def test_one_of_whose_account_horizon_says_too_much_is_paid_by_the_treasury_and_nothing_is_paused_for_it(
    house: Bank,
) -> None:
    """The account is empty, and Horizon shows it as it was before."""
    owner = house.desk.owner
    async with house.desk.ledger(), house.payouts() as worker:
        async with house.ticking():
            user = await house.desk.user(balance=20)
            account = await pays_in(house, user, 20)
            funded = house.chain.node.latest
            await house.all_are({"ana": await house.desk.withdraw(user, 20, address=address("ana"))}, "COMPLETED")
        await house.chain.fault("lag", match={"path": f"/accounts/{account}"}, lag=[house.chain.node.latest - funded])
        made = {"ben": await house.desk.withdraw(user, 20, address=address("ben"))}
        tried = "SELECT state FROM payouts.slot_items WHERE withdrawal_id = $1 AND source = $2"
        await until(lambda: owner.fetchval(tried, made["ben"], account))
        await house.chain.http.delete("/sandbox/faults")
        async with house.ticking():

            async def was_refused() -> bool:
                return bool(await owner.fetchval(tried, made["ben"], account) == "AGAIN")

            await until(was_refused)
            assert await pauses.recent_faults(worker.pool, SystemClock().now() - FAULT_FOR) == {}
            await house.hurry()
            await house.all_are(made, "COMPLETED")
    assert (await held(house, account), await held(house, address("treasury"))) == (0, 9_980)


async def test_nobody_elses_account_pays(house: Bank) -> None:
    """Somebody who can write rows names another user's account: the signer does not sign."""
    async with house.desk.ledger(), house.ticking(), house.payouts():
        rich, poor = await house.desk.user(), await house.desk.user(balance=5)
        account = await pays_in(house, rich, 20)
        await house.chain.fault("try_again_later", when="before", match={"path": "/transactions_async"})
        made = await house.desk.withdraw(poor, 5, address=address("ben"))
        kept = "SELECT hash, xdr FROM payouts.envelopes e WHERE told IS NOT NULL"
        envelope = await until(lambda: house.desk.owner.fetchrow(kept))
        await house.desk.owner.execute("UPDATE payouts.slot_items SET source = $1 WHERE withdrawal_id = $2", account, made)
        with pytest.raises(SignerRefusedError, match="UNKNOWN_INTENT"):
            await SignerClient(house.signer.socket).sign("withdrawal", envelope["hash"], envelope["xdr"])

"""A destination that is not there or takes no dollars is refused before anything moves; one that can't be seen is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from stellar_sdk import ChangeTrust, ManageData, MuxedAccount

from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.contracts.commands.payouts import CreateWithdrawal
from libs.common.kernel.ids import new_id
from libs.common.kernel.money import Currency
from tests.support.bank import USDC, Bank, bank
from tests.support.chain import address
from tests.support.market import Refused
from tests.support.workers import settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        await opened.clear()
        yield opened


async def test_a_destination_without_a_trustline_is_refused_and_nothing_moves(house: Bank) -> None:
    await house.chain.accounts("dora")
    muxed = MuxedAccount(address("dora"), 7).account_muxed or ""
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        for where in (address("dora"), muxed):
            with pytest.raises(Refused) as refused:
                await house.desk.withdraw(user, 5, address=where)
            assert refused.value.code == "DESTINATION_NO_TRUSTLINE"
            assert refused.value.details == {"reason": "NO_TRUSTLINE", "asset_code": "USDC", "address": where}
        assert await house.desk.balance(user) == ("50.00", "0.00")
        await house.desk.withdraw(user, 5, address=address("ana"))


@pytest.mark.parametrize("currency", ["USD", "XLM"])
async def test_a_destination_that_nobody_has_opened_is_refused_and_nothing_moves(house: Bank, currency: Currency) -> None:
    where = address("latecomer")
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        with pytest.raises(Refused) as refused:
            await house.desk.do(currency_terms(house, user, currency), service="payouts")
        assert refused.value.code == "DESTINATION_NO_TRUSTLINE"
        assert refused.value.details == {
            "reason": "NO_ACCOUNT",
            "asset_code": "USDC" if currency == "USD" else "XLM",
            "address": where,
        }
        assert await house.desk.balance(user) == ("50.00", "0.00")
        await house.chain.accounts("latecomer")
        await house.chain.apply(house.chain.build("latecomer", ChangeTrust(USDC)))
        await house.desk.withdraw(user, 5, address=where)


def currency_terms(house: Bank, user: str, currency: Currency) -> CreateWithdrawal:
    terms = house.desk.terms(new_id("wth"), user, 5, address=address("latecomer"))
    return msgspec.structs.replace(terms, currency=currency, quoted_currency=currency)


async def test_the_issuer_itself_takes_anything(house: Bank) -> None:
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        await house.desk.withdraw(user, 5, address=address("issuer"))


async def test_a_404_that_is_not_horizons_own_says_nothing_of_an_account(house: Bank) -> None:
    """The address of Horizon is wrong, or a proxy answers in its place."""
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with house.desk.ledger(), house.desk.payouts(horizon_url=f"http://{host}:{port}"):
        user = await house.desk.user(balance=50)
        await house.desk.withdraw(user, 5, address=address("nobody"))
    await runner.cleanup()


async def test_a_horizon_that_answers_nonsense_refuses_nobody(house: Bank) -> None:
    await house.chain.accounts("dora")
    name = await house.chain.fault("garbage", match={"path": f"/accounts/{address('dora')}"})
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        await house.desk.withdraw(user, 5, address=address("dora"))
    assert await house.chain.fired(name) == 1


async def test_an_account_that_asks_for_memos_gets_one_or_nothing(house: Bank) -> None:
    await house.chain.accounts("dora")
    await house.chain.apply(house.chain.build("dora", ChangeTrust(USDC)))
    await house.chain.apply(house.chain.build("dora", ManageData("config.memo_required", "1")))
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        with pytest.raises(Refused) as refused:
            await house.desk.withdraw(user, 5, address=address("dora"))
        assert (refused.value.code, refused.value.details["reason"]) == ("INVALID_DESTINATION", "MEMO_REQUIRED")
        assert await house.desk.balance(user) == ("50.00", "0.00")
        await house.desk.withdraw(user, 5, address=address("dora"), memo_type="id", memo="7")


async def test_an_account_that_was_seen_is_not_looked_at_again_at_once(house: Bank) -> None:
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        users = [await house.desk.user(balance=5) for _ in range(2)]
        await house.desk.withdraw(users[0], 5, address=address("ana"))
        name = await house.chain.fault("garbage", match={"path": f"/accounts/{address('ana')}"})
        await house.desk.withdraw(users[1], 5, address=address("ana"))
    assert await house.chain.fired(name) == 0


async def test_one_that_could_not_be_looked_at_is_refused_by_the_chain_and_the_money_comes_back(house: Bank) -> None:
    await house.chain.accounts("dora")
    await house.chain.fault("garbage", match={"path": f"/accounts/{address('dora')}"})
    async with house.desk.ledger(), house.payouts(), house.ticking():
        user = await house.desk.user(balance=50)
        made = {"dora": await house.desk.withdraw(user, 5, address=address("dora"))}
        await house.all_are(made, "FAILED")
        shown = await house.desk.shown(made["dora"])
        assert shown["failure"]["reason"] == "Destination account does not have USDC trustline"
        assert await house.desk.balance(user) == ("50.00", "0.00")


async def test_what_is_wrong_is_told_in_the_order_of_the_document(house: Bank) -> None:
    """Amount, then what is under way, then the destination's account, then the balance."""
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url, maximum=20):
        busy, free = await house.desk.user(balance=50), await house.desk.user(balance=1)
        await house.desk.withdraw(busy, 5, address=address("ana"))
        for who, units, where, code in (
            (busy, 0, "nobody", "AMOUNT_BELOW_MINIMUM"),
            (busy, 21, "nobody", "AMOUNT_ABOVE_MAXIMUM"),
            (busy, 5, "nobody", "WITHDRAWAL_IN_PROGRESS"),
            (free, 5, "nobody", "DESTINATION_NO_TRUSTLINE"),
            (free, 5, "ana", "INSUFFICIENT_FUNDS"),
        ):
            with pytest.raises(Refused, match=code):
                await house.desk.withdraw(who, units, address=address(where))


async def test_who_is_not_there_or_not_active_is_told_before_anything_else(house: Bank) -> None:
    async with house.desk.ledger(), house.desk.payouts():
        user = await house.desk.user(balance=50)
        await house.desk.do(UpdateUser(user, status="SUSPENDED"), service="ledger")
        for who, code in (("usr_nobody", "USER_NOT_FOUND"), (user, "USER_INACTIVE")):
            with pytest.raises(Refused, match=code):
                await house.desk.withdraw(who, 5, address="bad")

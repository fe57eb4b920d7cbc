"""A destination that is seen not to accept the asset is refused before anything moves; one that can't be seen is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stellar_sdk import ChangeTrust, ManageData, MuxedAccount

from libs.common.contracts.commands.ledger import UpdateUser
from libs.common.persistence.migrate import migrate
from tests.support.bank import USDC, Bank, bank
from tests.support.chain import address
from tests.support.market import Refused
from tests.support.workers import ROLE_SECRET, settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    await migrate(postgres_url, role_secret=ROLE_SECRET)
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
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
            assert refused.value.details == {"asset_code": "USDC", "address": where}
        assert await house.desk.balance(user) == ("50.00", "0.00")
        await house.desk.withdraw(user, 5, address=address("ana"))


@pytest.mark.parametrize("who", ["nobody", "issuer"])
async def test_one_that_is_not_shown_and_the_issuer_itself_are_taken(house: Bank, who: str) -> None:
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        await house.desk.withdraw(user, 5, address=address(who))


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


async def test_who_is_not_there_or_not_active_is_told_before_anything_else(house: Bank) -> None:
    async with house.desk.ledger(), house.desk.payouts():
        user = await house.desk.user(balance=50)
        await house.desk.do(UpdateUser(user, status="SUSPENDED"), service="ledger")
        for who, code in (("usr_nobody", "USER_NOT_FOUND"), (user, "USER_INACTIVE")):
            with pytest.raises(Refused, match=code):
                await house.desk.withdraw(who, 5, address="bad")

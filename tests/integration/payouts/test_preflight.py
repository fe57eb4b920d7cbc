"""A destination that is seen not to accept the asset is refused before anything moves; one that can't be seen is not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stellar_sdk import MuxedAccount

from libs.common.persistence.migrate import migrate
from tests.support.bank import Bank, bank
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
    name = await house.chain.fault("garbage", match={"path": "/accounts/*"})
    async with house.desk.ledger(), house.desk.payouts(horizon_url=house.chain.url):
        user = await house.desk.user(balance=50)
        await house.desk.withdraw(user, 5, address=address("dora"))
    assert await house.chain.fired(name) == 1

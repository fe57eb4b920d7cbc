"""An asset that the treasury can't cover is paused before a payment fails, and goes on by itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stellar_sdk import Payment

from libs.common.kernel.clock import SystemClock
from libs.common.messaging.worker import Parts, Worker
from services.payouts.clients.signer import SignerClient
from services.payouts.entrypoints.pausing import change
from services.payouts.entrypoints.treasury import TreasuryWatch
from services.payouts.handlers.ask_for_accounts import OwnAccounts
from services.payouts.settings import PayoutsSettings
from services.payouts.store import pauses
from tests.support.bank import USDC, Bank, bank
from tests.support.chain import address
from tests.support.payouts import PAYOUTS
from tests.support.workers import settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def house(tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[Bank]:
    async with bank(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        await opened.clear()
        yield opened
        await opened.clear()


def _watch(house: Bank, worker: Worker) -> TreasuryWatch:
    parts = Parts(worker.pool, worker.publisher, worker.rpc, SystemClock(), "")
    return TreasuryWatch(parts, OwnAccounts(SignerClient(house.signer.socket)), house.chain.url, address("issuer"))


async def _paused(worker: Worker) -> list[tuple[str, str]]:
    return [(record["currency"], record["cause"]) for record in await pauses.paused(worker.pool)]


async def test_what_the_treasury_can_not_cover_waits_and_goes_on_when_it_can(house: Bank) -> None:
    async with house.desk.ledger(), house.payouts() as worker:
        watch = _watch(house, worker)
        await house.chain.apply(house.chain.build("treasury", Payment(address("issuer"), USDC, "9997")))
        await pauses.pause(worker.pool, "USD", "operator", "first", watch.parts.clock.now())
        made = await house.withdraw_all("ana")
        for _ in range(2):
            await watch.look()
        assert await _paused(worker) == [("USD", "balance"), ("USD", "operator")]
        await pauses.resume(worker.pool, "USD", "operator")
        async with house.ticking():
            await house.chain.apply(house.chain.build("issuer", Payment(address("ben"), USDC, "1")))
            assert await house.desk.status(made["ana"]) == "PENDING"
            await house.chain.apply(house.chain.build("issuer", Payment(address("treasury"), USDC, "100")))
            await watch.look()
            assert await _paused(worker) == []
            await house.all_are(made, "COMPLETED")


async def test_a_person_pauses_an_asset_and_lets_it_go_on(house: Bank) -> None:
    told = PayoutsSettings(**PAYOUTS | {"database_url": house.desk.config.database_url})
    assert (await change(told, ["pause", "USD", "an audit"])).endswith("(operator): an audit")
    with pytest.raises(ValueError, match="pauses"):
        await change(told, ["pause", "EUR", "no such thing"])
    async with house.desk.ledger(), house.payouts() as worker, house.ticking():
        made = await house.withdraw_all("ana")
        await _watch(house, worker).look()
        assert await _paused(worker) == [("USD", "operator")]
        assert await house.desk.status(made["ana"]) == "PENDING"
        assert await change(told, ["resume", "USD"]) == "no asset is paused"
        await house.all_are(made, "COMPLETED")


async def test_a_refusal_of_the_treasurys_payments_by_the_network_pauses_their_asset(house: Bank) -> None:
    async with house.desk.ledger(), house.payouts() as worker:
        watch = _watch(house, worker)
        owner = house.desk.owner
        await owner.execute("INSERT INTO payouts.channels (public_key) VALUES ('G') ON CONFLICT DO NOTHING")
        await owner.execute(
            "INSERT INTO payouts.slots (channel, sequence, currency, state, opened_at, closed_at, transaction_hash)"
            " VALUES ('G', 1, 'XLM', 'FAILED', now(), now(), 'ab')"
        )
        await owner.execute(
            "INSERT INTO payouts.slot_items (channel, sequence, place, tenant, withdrawal_id, state, code)"
            " VALUES ('G', 1, 0, 't', 'wth_1', 'AGAIN', 'op_underfunded')"
        )
        await watch.look()
        assert await _paused(worker) == [("XLM", "fault")]
        await owner.execute("UPDATE payouts.slots SET closed_at = now() - interval '3 minutes' WHERE channel = 'G'")
        await watch.look()
        assert await _paused(worker) == []

"""An intent whose process dies at any point, whose question is lost or whose answer is: it ends once, and its caller hears."""

import asyncio

import aio_pika
import pytest

from libs.common.contracts.commands.escrow import FundEscrow, ReleaseOrder, ReserveOrder
from libs.common.contracts.topology import Topology
from libs.common.messaging import faults
from libs.common.messaging.dead_letters import look
from libs.common.messaging.link import OutcomeUnknownError
from tests.support.market import Market, die_in
from tests.support.oracles import books_hold, outboxes_are_empty
from tests.support.workers import kill, until

pytestmark = pytest.mark.integration


async def _settled(market: Market, order_id: str) -> bool:
    row = await market.row(order_id)
    return row["pending"] is None and await outboxes_are_empty(market.owner, "escrow", "ledger")


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", [point for point in faults.POINTS if point.startswith("write.")])
async def test_escrow_killed_at_any_point_of_a_release_pays_the_seller_once(market: Market, point: str, nth: int) -> None:
    """The first pass is the write transaction of the intent, the second that of the ledger's answer."""
    async with market.ledger():
        async with market.escrow() as first:
            buyer, seller = await market.user(balance=100), await market.user()
            order_id = await market.order_at("IN_PROGRESS", buyer, seller)
            died = die_in("escrow", point, after=nth)
            asking = asyncio.create_task(market.do(ReleaseOrder(order_id), "cmd_release"))
            await asyncio.wait_for(died.wait(), 60)
            await kill(first)
        await market.hurry()
        async with market.escrow():
            await until(lambda: _settled(market, order_id))
            asking.cancel()
            again = await market.do(ReleaseOrder(order_id), "cmd_release")  # as a gateway does whose answer did not come
            assert again["status"] == "RELEASED"
        assert await market.journals(order_id) == ["fund", "release", "reserve"]
        assert await market.balance(seller) == ("100.00", "0.00")
    assert (await market.events(order_id))[-4:] == [
        "order.release_requested",
        "escrow.released",
        "order.released",
        "order.closed",
    ]
    await books_hold(market.owner)


@pytest.mark.parametrize("point", [point for point in faults.POINTS if point.startswith("write.")])
async def test_a_ledger_killed_at_any_point_of_a_journal_leaves_no_intent_behind(market: Market, point: str) -> None:
    async with market.escrow():
        async with market.ledger() as first:
            buyer, seller = await market.user(balance=100), await market.user()
            order_id = await market.order_at("ESCROW_FUNDING", buyer, seller)
            died = die_in("ledger", point)
            asking = asyncio.create_task(market.do(FundEscrow(order_id)))
            await asyncio.wait_for(died.wait(), 60)
            await kill(first)
        await market.hurry()
        async with market.ledger():
            assert (await asyncio.wait_for(asking, 20))["status"] == "FUNDED"
            await until(lambda: _settled(market, order_id))
            assert await market.balance(buyer) == ("0.00", "100.00")
    assert await market.journals(order_id) == ["fund", "reserve"]
    await books_hold(market.owner)


async def test_a_journal_that_got_lost_is_asked_again_and_its_caller_hears(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(balance=100), await market.user()
        order_id = await market.order(buyer, seller)
    async with market.escrow():
        asking = asyncio.create_task(market.do(ReserveOrder(order_id)))

        async def pending() -> bool:
            return bool((await market.row(order_id))["pending"]) and await outboxes_are_empty(market.owner, "escrow")

        await until(pending)
        await _drop_the_ledgers_commands(market)
        async with market.ledger():
            await market.hurry()
            assert (await asyncio.wait_for(asking, 10))["status"] == "FUNDS_RESERVED"
        assert (await market.row(order_id))["pending_tries"] == 0
    assert await market.journals(order_id) == ["reserve"]


async def test_a_sweeper_killed_while_it_asks_again_loses_nothing(market: Market) -> None:
    async with market.open():
        buyer, seller = await market.user(balance=100), await market.user()
        order_id = await market.order(buyer, seller)
    async with market.escrow() as first:
        asking = asyncio.create_task(market.do(ReserveOrder(order_id), "cmd_reserve"))

        async def pending() -> bool:
            return bool((await market.row(order_id))["pending"]) and await outboxes_are_empty(market.owner, "escrow")

        await until(pending)
        await _drop_the_ledgers_commands(market)
        died = die_in("escrow", "intent.resend")
        await market.hurry()
        await asyncio.wait_for(died.wait(), 60)
        await kill(first)
    assert (await market.row(order_id))["pending_tries"] == 1
    await market.hurry()
    async with market.open():
        assert (await asyncio.wait_for(asking, 10))["status"] == "FUNDS_RESERVED"
    assert await market.journals(order_id) == ["reserve"]


async def test_no_answer_in_time_is_an_unknown_outcome_that_the_same_command_looks_up(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with market.escrow():
        async with market.ledger():
            buyer, seller = await market.user(balance=100), await market.user()
            order_id = await market.order(buyer, seller)
        with monkeypatch.context() as hurry:
            hurry.setattr("libs.common.messaging.rpc.COMMAND_SECONDS", 0.5)
            with pytest.raises(OutcomeUnknownError):
                await market.do(ReserveOrder(order_id), "cmd_reserve")
        async with market.ledger():
            assert (await market.do(ReserveOrder(order_id), "cmd_reserve"))["status"] == "FUNDS_RESERVED"
    url, topology = market.config.amqp_url.get_secret_value(), Topology(market.config.bus_prefix, market.config.queue_expires_ms)
    assert not [letter for letter in await look(url, topology, "escrow") if letter.tenant == market.tenant]


async def _drop_the_ledgers_commands(market: Market) -> None:
    """Lose what waits for the ledger, as no broker should."""
    topology = Topology(market.config.bus_prefix, market.config.queue_expires_ms)
    async with await aio_pika.connect(market.config.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.command_queue("ledger").name)
        purged = await queue.purge()
        assert purged.message_count

from collections.abc import Callable

import aio_pika
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection

from tests.integration.amqp.steps import consume, deaths, declare, drain, eventually, fetch, publish

pytestmark = pytest.mark.integration

Name = Callable[[], str]
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


class TestDeadLetters:
    @KINDS
    async def test_a_rejected_message_carries_its_death(self, channel: AbstractChannel, name: Name, kind: str) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.DIRECT)
        dead = await declare(channel, name())
        await dead.bind(exchange, "work")
        source = await channel.declare_exchange(name(), ExchangeType.DIRECT)
        queue = await declare(channel, name(), queue_type=kind, dead_letter_exchange=exchange.name)
        await queue.bind(source, "work")
        await source.publish(aio_pika.Message(b"bad", headers={"mine": 1}, message_id="m-1"), "work")
        await (await fetch(queue)).reject(requeue=False)
        message = await fetch(dead)
        assert (message.body, message.message_id, message.headers["mine"]) == (b"bad", "m-1", 1)
        assert (message.exchange, message.routing_key) == (exchange.name, "work")
        assert message.headers["x-first-death-queue"] == queue.name
        assert message.headers["x-first-death-reason"] == "rejected"
        assert message.headers["x-first-death-exchange"] == source.name
        (death,) = deaths(message)
        assert death["count"] == 1
        assert (death["queue"], death["reason"], death["exchange"]) == (queue.name, "rejected", source.name)
        assert death["routing-keys"] == ["work"]
        assert "time" in death

    @KINDS
    async def test_a_routing_key_of_its_own_replaces_the_message_s(self, channel: AbstractChannel, name: Name, kind: str) -> None:
        dead = await declare(channel, name())
        queue = await declare(channel, name(), queue_type=kind, dead_letter_exchange="", dead_letter_routing_key=dead.name)
        await publish(channel, queue.name, "a", "b")
        held = [await fetch(queue) for _ in range(2)]
        await held[1].nack(multiple=True, requeue=False)
        assert sorted([(await fetch(dead)).body, (await fetch(dead)).body]) == [b"a", b"b"]

    @KINDS
    async def test_a_retry_queue_gives_messages_back_in_order_after_their_ttl(
        self, channel: AbstractChannel, name: Name, kind: str
    ) -> None:
        work = await declare(channel, name(), queue_type=kind)
        retry = await declare(
            channel,
            name(),
            queue_type=kind,
            message_ttl=60,
            dead_letter_exchange="",
            dead_letter_routing_key=work.name,
        )
        inbox = await consume(work)
        await publish(channel, retry.name, *"abcde")
        messages = await inbox.take(5)
        assert [message.body for message in messages] == [b"a", b"b", b"c", b"d", b"e"]
        assert messages[0].headers["x-first-death-reason"] == "expired"
        assert messages[0].redelivered is False

    async def test_deaths_are_counted_per_queue_and_reason_newest_first(self, channel: AbstractChannel, name: Name) -> None:
        retry_name, work_name = name(), name()
        work = await declare(channel, work_name, dead_letter_exchange="", dead_letter_routing_key=retry_name)
        await declare(channel, retry_name, message_ttl=10, dead_letter_exchange="", dead_letter_routing_key=work_name)
        await publish(channel, work_name, "x")
        for _ in range(2):
            await (await fetch(work)).reject(requeue=False)
        message = await fetch(work)
        history = [(death["queue"], death["reason"], death["count"]) for death in deaths(message)]
        assert history == [(retry_name, "expired", 2), (work_name, "rejected", 2)]
        assert message.headers["x-first-death-queue"] == work_name

    async def test_a_message_s_own_expiration_is_kept_in_its_death(self, channel: AbstractChannel, name: Name) -> None:
        dead = await declare(channel, name())
        queue = await declare(channel, name(), dead_letter_exchange="", dead_letter_routing_key=dead.name)
        await channel.default_exchange.publish(aio_pika.Message(b"x", expiration=0.02), queue.name)
        message = await fetch(dead)
        assert message.expiration is None
        assert deaths(message)[0]["original-expiration"] == "20"

    async def test_without_a_dead_letter_exchange_expired_messages_are_dropped(
        self, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name(), message_ttl=10)
        await publish(channel, queue.name, "a")

        async def is_empty() -> bool:
            return (await declare(channel, queue.name, message_ttl=10)).declaration_result.message_count == 0

        await eventually(is_empty)

    async def test_a_cycle_that_nobody_rejects_in_ends(self, channel: AbstractChannel, name: Name) -> None:
        first, second = name(), name()
        await declare(channel, first, message_ttl=10, dead_letter_exchange="", dead_letter_routing_key=second)
        await declare(channel, second, message_ttl=10, dead_letter_exchange="", dead_letter_routing_key=first)
        await publish(channel, first, "x")

        async def both_empty() -> bool:
            counts = [
                (await channel.declare_queue(one, passive=True)).declaration_result.message_count for one in (first, second)
            ]
            return counts == [0, 0]

        await eventually(both_empty)

    async def test_messages_still_held_do_not_expire(self, channel: AbstractChannel, name: Name) -> None:
        dead = await declare(channel, name())
        queue = await declare(channel, name(), message_ttl=30, dead_letter_exchange="", dead_letter_routing_key=dead.name)
        await channel.set_qos(prefetch_count=1)
        inbox = await consume(queue)
        await publish(channel, queue.name, "held")
        (message,) = await inbox.take(1)
        await publish(channel, queue.name, "waiting")
        assert (await fetch(dead)).body == b"waiting"
        await queue.cancel(inbox.tag)
        await message.nack(requeue=True)
        assert (await fetch(dead)).body == b"held"


class TestDeliveryCount:
    async def test_a_quorum_queue_counts_deliveries(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name(), queue_type="quorum")
        await channel.default_exchange.publish(aio_pika.Message(b"x", headers={"mine": "kept"}), queue.name)
        counts = []
        for _ in range(3):
            message = await fetch(queue)
            counts.append(message.headers.get("x-delivery-count"))
            assert message.headers["mine"] == "kept"
            await message.nack(requeue=True)
        assert counts == [0, 1, 2]

    async def test_a_classic_queue_does_not(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, "x")
        await (await fetch(queue)).nack(requeue=True)
        assert "x-delivery-count" not in (await fetch(queue)).headers

    async def test_past_the_delivery_limit_a_message_is_dead(self, channel: AbstractChannel, name: Name) -> None:
        dead = await declare(channel, name())
        queue = await declare(
            channel,
            name(),
            queue_type="quorum",
            delivery_limit=2,
            dead_letter_exchange="",
            dead_letter_routing_key=dead.name,
        )
        await publish(channel, queue.name, "poison", "fine")
        deliveries = 0
        while (message := await fetch(queue)).body == b"poison":
            deliveries += 1
            await message.nack(requeue=True)
        assert deliveries == 3
        buried = await fetch(dead)
        assert deaths(buried)[0]["reason"] == "delivery_limit"
        assert await drain(queue) == []

    async def test_a_lost_channel_counts_as_a_delivery(self, connection: AbstractConnection, name: Name) -> None:
        channel = await connection.channel()
        queue = await declare(channel, name(), queue_type="quorum")
        await publish(channel, queue.name, "x")
        await (await consume(queue)).next()
        await channel.close()
        fresh = await connection.channel()
        message = await fetch(await fresh.get_queue(queue.name))
        assert message.headers["x-delivery-count"] == 1
        assert message.redelivered is True

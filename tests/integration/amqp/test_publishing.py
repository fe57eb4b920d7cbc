import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import aio_pika
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError
from pamqp import commands

from tests.integration.amqp.steps import DEADLINE_SECONDS, consume, declare, drain, fetch, publish

pytestmark = pytest.mark.integration

Name = Callable[[], str]

TOPICS = [
    ("orders", "orders", True),
    ("orders.*", "orders.created", True),
    ("orders.*", "orders", False),
    ("orders.*", "orders.created.v1", False),
    ("orders.#", "orders", True),
    ("orders.#", "orders.created.v1", True),
    ("#", "", True),
    ("#", "anything.at.all", True),
    ("*", "", False),
    ("*.*", "a.b", True),
    ("#.v1", "orders.created.v1", True),
    ("#.v1", "orders.created.v2", False),
    ("a.#.z", "a.z", True),
    ("a.#.*.z", "a.z", False),
    ("a.#.*.z", "a.b.z", True),
    ("#.#", "a", True),
    ("a..b", "a..b", True),
    ("a.*.b", "a..b", True),
]


class TestRouting:
    @pytest.mark.parametrize(("pattern", "key", "matches"), TOPICS)
    async def test_topic_wildcards(self, channel: AbstractChannel, name: Name, pattern: str, key: str, matches: bool) -> None:  # noqa: FBT001
        exchange = await channel.declare_exchange(name(), ExchangeType.TOPIC)
        queue = await declare(channel, name())
        await queue.bind(exchange, pattern)
        if matches:
            await exchange.publish(aio_pika.Message(b"x"), key, mandatory=True)
            assert await drain(queue) == ["x"]
        else:
            with pytest.raises(PublishError):
                await exchange.publish(aio_pika.Message(b"x"), key, mandatory=True)

    async def test_a_queue_bound_twice_gets_a_message_once(self, channel: AbstractChannel, name: Name) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.TOPIC)
        queue = await declare(channel, name())
        for pattern in ("a.*", "*.b", "#"):
            await queue.bind(exchange, pattern)
        await exchange.publish(aio_pika.Message(b"x"), "a.b")
        assert await drain(queue) == ["x"]

    async def test_direct_and_fanout(self, channel: AbstractChannel, name: Name) -> None:
        direct = await channel.declare_exchange(name(), ExchangeType.DIRECT)
        fanout = await channel.declare_exchange(name(), ExchangeType.FANOUT)
        first, second = await declare(channel, name()), await declare(channel, name())
        await first.bind(direct, "one")
        await second.bind(direct, "two")
        for queue in (first, second):
            await queue.bind(fanout, "ignored")
        await direct.publish(aio_pika.Message(b"direct"), "one")
        await fanout.publish(aio_pika.Message(b"fanout"), "whatever")
        assert await drain(first) == ["direct", "fanout"]
        assert await drain(second) == ["fanout"]

    async def test_an_unbound_queue_gets_no_more(self, channel: AbstractChannel, name: Name) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.DIRECT)
        queue = await declare(channel, name())
        await queue.bind(exchange, "key")
        await exchange.publish(aio_pika.Message(b"before"), "key")
        await queue.unbind(exchange, "key")
        await exchange.publish(aio_pika.Message(b"after"), "key", mandatory=False)
        assert await drain(queue) == ["before"]

    async def test_a_deleted_queue_is_unbound(self, channel: AbstractChannel, name: Name) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.DIRECT)
        queue = await declare(channel, name())
        await queue.bind(exchange, "key")
        await queue.delete()
        again = await declare(channel, queue.name)
        await exchange.publish(aio_pika.Message(b"x"), "key", mandatory=False)
        assert await drain(again) == []


class TestPublishing:
    async def test_a_mandatory_message_without_a_queue_comes_back_before_its_confirm(
        self, channel: AbstractChannel, name: Name
    ) -> None:
        with pytest.raises(PublishError) as caught:
            await channel.default_exchange.publish(aio_pika.Message(b"lost", message_id="m1"), name(), mandatory=True)
        returned = caught.value.message
        assert returned is not None
        assert returned.body == b"lost"
        why = caught.value.frame
        assert isinstance(why, commands.Basic.Return)
        assert (why.reply_code, why.reply_text) == (312, "NO_ROUTE")

    async def test_a_message_without_a_queue_is_confirmed_when_not_mandatory(self, channel: AbstractChannel, name: Name) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await channel.default_exchange.publish(aio_pika.Message(b""), name(), mandatory=False)

    async def test_pipelined_publishes_are_all_confirmed_and_keep_their_order(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*(publish(channel, queue.name, str(number)) for number in range(500)))
        assert await drain(queue) == [str(number) for number in range(500)]

    async def test_a_returned_message_among_others_fails_alone(self, channel: AbstractChannel, name: Name) -> None:
        queue, missing = await declare(channel, name()), name()
        targets = [queue.name, missing, queue.name, missing, queue.name]
        outcomes = await asyncio.gather(*(publish(channel, target, "x") for target in targets), return_exceptions=True)
        assert [isinstance(outcome, PublishError) for outcome in outcomes] == [target == missing for target in targets]

    @pytest.mark.parametrize("kind", ["classic", "quorum"])
    async def test_a_full_queue_that_rejects_nacks_the_publisher(self, channel: AbstractChannel, name: Name, kind: str) -> None:
        queue = await declare(channel, name(), queue_type=kind, max_length=2, overflow="reject-publish")
        refused = 0
        for number in range(6):
            try:
                await publish(channel, queue.name, str(number))
            except DeliveryError:
                refused += 1
        assert refused >= 3  # a quorum queue learns that it is full one message late
        assert len(await drain(queue)) == 6 - refused
        await publish(channel, queue.name, "room again")

    async def test_a_full_queue_drops_its_head_into_the_dead_letters(self, channel: AbstractChannel, name: Name) -> None:
        dead = await declare(channel, name())
        queue = await declare(channel, name(), max_length=2, dead_letter_exchange="", dead_letter_routing_key=dead.name)
        await publish(channel, queue.name, "a", "b", "c")
        dropped = await fetch(dead)
        assert dropped.body == b"a"
        assert dropped.headers["x-first-death-reason"] == "maxlen"
        await dropped.ack()
        assert await drain(queue) == ["b", "c"]

    @pytest.mark.parametrize("size", [0, 1, 131_064, 131_065, 1024 * 1024])
    async def test_bodies_of_any_number_of_frames_arrive_whole(self, channel: AbstractChannel, name: Name, size: int) -> None:
        queue = await declare(channel, name())
        body = bytes(index % 251 for index in range(size))
        await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
        inbox = await consume(queue)
        assert (await inbox.next()).body == body

    async def test_every_property_arrives_as_it_was_sent(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        sent = aio_pika.Message(
            b"{}",
            headers={"text": "ü", "count": 7, "big": 2**40, "ratio": 0.5, "flag": True, "none": None, "deep": {"list": [1, "a"]}},
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            priority=3,
            correlation_id="c-1",
            reply_to="replies",
            expiration=60,
            message_id="m-1",
            timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            type="order.created",
            user_id="guest",
            app_id="test",
        )
        await channel.default_exchange.publish(sent, queue.name)
        message = await fetch(queue)
        assert message.headers == sent.headers
        for field in ("content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to"):
            assert getattr(message, field) == getattr(sent, field)
        for field in ("expiration", "message_id", "timestamp", "type", "user_id", "app_id"):
            assert getattr(message, field) == getattr(sent, field)
        assert message.exchange == ""
        assert message.routing_key == queue.name

from collections.abc import Callable

import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from tests.integration.amqp.steps import consume, declare, drain, eventually, fetch, publish

pytestmark = pytest.mark.integration

Name = Callable[[], str]
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


async def ready_count(connection: AbstractConnection, queue: str) -> int:
    channel = await connection.channel()
    declared = await channel.declare_queue(queue, passive=True)
    await channel.close()
    return declared.declaration_result.message_count or 0


async def expect_ready(connection: AbstractConnection, queue: str, count: int) -> None:
    async def is_so() -> bool:
        return await ready_count(connection, queue) == count

    await eventually(is_so)


class TestConsuming:
    @KINDS
    async def test_prefetch_bounds_what_a_consumer_holds(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name, kind: str
    ) -> None:
        queue = await declare(channel, name(), queue_type=kind)
        await publish(channel, queue.name, *"abcde")
        await channel.set_qos(prefetch_count=2)
        inbox = await consume(queue)
        first, second = await inbox.take(2)
        await expect_ready(connection, queue.name, 3)
        assert inbox.messages.empty()
        await first.ack()
        assert (await inbox.next()).body == b"c"
        await second.nack(requeue=False)
        assert (await inbox.next()).body == b"d"
        await expect_ready(connection, queue.name, 1)

    async def test_prefetch_counts_per_consumer(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await channel.set_qos(prefetch_count=1)
        first, second = await consume(queue), await consume(queue)
        await publish(channel, queue.name, *"abc")
        await first.next()
        await second.next()
        await expect_ready(connection, queue.name, 1)

    async def test_global_prefetch_is_shared_by_the_channel(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await channel.set_qos(prefetch_count=3, global_=True)
        first, second = await consume(queue), await consume(queue)
        await publish(channel, queue.name, *"abcde")
        await expect_ready(connection, queue.name, 2)
        await eventually(lambda: first.messages.qsize() + second.messages.qsize() == 3)
        await (await first.next()).ack()
        await expect_ready(connection, queue.name, 1)

    @KINDS
    async def test_consumers_take_turns(self, connection: AbstractConnection, name: Name, kind: str) -> None:
        channels = [await connection.channel() for _ in range(3)]
        queue = await declare(channels[0], name(), queue_type=kind)
        inboxes = []
        for channel in channels:
            await channel.set_qos(prefetch_count=10)
            inboxes.append(await consume(await channel.get_queue(queue.name)))
        await publish(channels[0], queue.name, *(str(number) for number in range(9)))
        shares = [await inbox.bodies(3) for inbox in inboxes]
        assert sorted(shares) == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]

    async def test_a_consumer_without_acks_holds_nothing(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await channel.set_qos(prefetch_count=1)
        inbox = await consume(queue, no_ack=True)
        await publish(channel, queue.name, *"abc")
        assert await inbox.bodies(3) == ["a", "b", "c"]
        await channel.close()
        await expect_ready(connection, queue.name, 0)

    async def test_an_exclusive_consumer_is_alone(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await consume(queue, exclusive=True)
        other = await (await connection.channel()).get_queue(queue.name)
        with pytest.raises(ChannelAccessRefused):
            await consume(other)

    async def test_cancelling_stops_deliveries_and_keeps_what_is_held(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        inbox = await consume(queue)
        await publish(channel, queue.name, "a")
        message = await inbox.next()
        await queue.cancel(inbox.tag)
        await publish(channel, queue.name, "b")
        await expect_ready(connection, queue.name, 1)
        await message.ack()
        await channel.close()
        await expect_ready(connection, queue.name, 1)

    async def test_two_queues_do_not_wait_for_each_other(self, channel: AbstractChannel, name: Name) -> None:
        slow, fast = await declare(channel, name()), await declare(channel, name())
        await channel.set_qos(prefetch_count=1)
        stuck, moving = await consume(slow), await consume(fast)
        await publish(channel, slow.name, "a", "b")
        await publish(channel, fast.name, "c", "d")
        await stuck.next()
        for body in (b"c", b"d"):
            message = await moving.next()
            assert message.body == body
            await message.ack()


class TestSettling:
    @KINDS
    async def test_a_requeued_message_returns_to_its_place_and_says_so(
        self, channel: AbstractChannel, name: Name, kind: str
    ) -> None:
        limit = {"delivery_limit": 20} if kind == "quorum" else {}
        queue = await declare(channel, name(), queue_type=kind, **limit)
        await publish(channel, queue.name, *"abc")
        message = await fetch(queue)
        assert message.redelivered is False
        await message.nack(requeue=True)
        again = await fetch(queue)
        assert again.body == b"a"
        assert again.redelivered is True
        await again.reject(requeue=True)
        assert await drain(queue) == ["a", "b", "c"]

    async def test_a_quorum_queue_without_a_delivery_limit_requeues_at_its_end(
        self, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name(), queue_type="quorum")
        await publish(channel, queue.name, *"abc")
        await (await fetch(queue)).nack(requeue=True)
        assert await drain(queue) == ["b", "c", "a"]

    @KINDS
    async def test_closing_the_channel_requeues_in_order(self, connection: AbstractConnection, name: Name, kind: str) -> None:
        channel = await connection.channel()
        queue = await declare(channel, name(), queue_type=kind)
        await publish(channel, queue.name, *"abcdef")
        await channel.set_qos(prefetch_count=4)
        held = await (await consume(queue)).take(4)
        await held[1].ack()
        await channel.close()
        fresh = await connection.channel()
        await expect_ready(connection, queue.name, 5)
        assert await drain(await fresh.get_queue(queue.name)) == ["a", "c", "d", "e", "f"]

    async def test_acking_multiple_settles_all_up_to_the_tag(self, connection: AbstractConnection, name: Name) -> None:
        channel = await connection.channel()
        queue = await declare(channel, name())
        await publish(channel, queue.name, *"abcd")
        held = await (await consume(queue)).take(4)
        await held[2].ack(multiple=True)
        await channel.close()
        await expect_ready(connection, queue.name, 1)

    async def test_nacking_multiple_requeues_all_up_to_the_tag(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, *"abcd")
        held = [await fetch(queue) for _ in range(4)]
        await held[2].nack(multiple=True, requeue=True)
        assert await drain(queue) == ["a", "b", "c"]

    async def test_interleaved_requeues_keep_the_order(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, *"abcdef")
        held = [await fetch(queue) for _ in range(4)]
        for index in (2, 0, 3, 1):
            await held[index].nack(requeue=True)
        assert await drain(queue) == ["a", "b", "c", "d", "e", "f"]

    async def test_recover_requeues_everything_held(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, *"ab")
        await fetch(queue)
        await fetch(queue)
        await (await channel.get_underlay_channel()).basic_recover(requeue=True)
        message = await fetch(queue)
        assert (message.body, message.redelivered) == (b"a", True)

    async def test_an_unknown_delivery_tag_is_406(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, "a")
        message = await fetch(queue)
        underlay = await channel.get_underlay_channel()
        await underlay.basic_ack(message.delivery_tag or 0)
        await underlay.basic_ack(message.delivery_tag or 0)
        with pytest.raises(ChannelPreconditionFailed, match="unknown delivery tag"):
            await channel.declare_queue(queue.name, passive=True)
        await expect_ready(connection, queue.name, 0)

    async def test_get_tells_what_remains_and_an_empty_queue_gives_none(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        assert await queue.get(fail=False) is None
        await publish(channel, queue.name, "a", "b")
        message = await queue.get(no_ack=True)
        assert message.message_count == 1

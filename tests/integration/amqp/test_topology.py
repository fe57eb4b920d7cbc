from collections.abc import Callable

import aio_pika
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.channel import Channel as UnderlayChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource

from tests.integration.amqp.steps import consume, declare, drain, eventually, publish

pytestmark = pytest.mark.integration

Name = Callable[[], str]


async def exists(connection: AbstractConnection, queue: str) -> bool:
    channel = await connection.channel()
    try:
        await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


class TestTopology:
    async def test_a_queue_without_a_name_gets_one(self, channel: AbstractChannel) -> None:
        first = await channel.declare_queue("", exclusive=True)
        second = await channel.declare_queue("", exclusive=True)
        assert first.name.startswith("amq.gen-")
        assert first.name != second.name

    async def test_declaring_again_tells_what_is_in_the_queue(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, "a", "b")
        again = await declare(channel, queue.name)
        assert again.declaration_result.message_count == 2
        assert again.declaration_result.consumer_count == 0

    @pytest.mark.parametrize("arguments", [{"message_ttl": 60_000}, {"max_length": 5}, {"queue_type": "quorum"}])
    async def test_declaring_with_other_arguments_is_406(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name, arguments: dict[str, str | int]
    ) -> None:
        queue = await declare(channel, name())
        with pytest.raises(ChannelPreconditionFailed, match="PRECONDITION_FAILED - inequivalent arg"):
            await declare(channel, queue.name, **arguments)
        assert await exists(connection, queue.name)

    async def test_declaring_with_another_durability_is_406(self, channel: AbstractChannel, name: Name) -> None:
        queue = await channel.declare_queue(name(), durable=True)
        with pytest.raises(ChannelPreconditionFailed, match="inequivalent arg 'durable'"):
            await channel.declare_queue(queue.name, durable=False)

    async def test_declaring_an_exchange_of_another_type_is_406(self, channel: AbstractChannel, name: Name) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.TOPIC)
        with pytest.raises(ChannelPreconditionFailed, match="inequivalent arg"):
            await channel.declare_exchange(exchange.name, ExchangeType.DIRECT)

    @pytest.mark.parametrize("arguments", [{"message_ttl": -1}, {"expires": 0}, {"queue_type": "heap"}, {"overflow": "spill"}])
    async def test_an_invalid_argument_is_406(
        self, channel: AbstractChannel, name: Name, arguments: dict[str, str | int]
    ) -> None:
        with pytest.raises(ChannelPreconditionFailed):
            await declare(channel, name(), **arguments)

    async def test_a_quorum_queue_must_be_durable(self, channel: AbstractChannel, name: Name) -> None:
        with pytest.raises(ChannelPreconditionFailed):
            await channel.declare_queue(name(), durable=False, arguments={"x-queue-type": "quorum"})

    async def test_a_passive_declare_of_nothing_is_404(self, connection: AbstractConnection, name: Name) -> None:
        with pytest.raises(ChannelNotFoundEntity, match="NOT_FOUND - no queue"):
            await (await connection.channel()).declare_queue(name(), passive=True)
        with pytest.raises(ChannelNotFoundEntity, match="NOT_FOUND - no exchange"):
            await (await connection.channel()).declare_exchange(name(), passive=True)

    async def test_binding_to_nothing_is_404(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        with pytest.raises(ChannelNotFoundEntity):
            await queue.bind(name(), "key")

    async def test_publishing_to_nothing_is_404_and_other_channels_live_on(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        doomed = await connection.channel()
        exchange = await doomed.get_exchange(name(), ensure=False)
        with pytest.raises((ChannelNotFoundEntity, ChannelClosed)):
            await exchange.publish(aio_pika.Message(b""), "key")
        assert (await declare(channel, name())).declaration_result.message_count == 0

    async def test_reserved_names_are_403(self, connection: AbstractConnection) -> None:
        with pytest.raises(ChannelAccessRefused):
            await (await connection.channel()).declare_queue("amq.mine")
        with pytest.raises(ChannelAccessRefused):
            await (await connection.channel()).declare_exchange("amq.mine", ExchangeType.DIRECT)

    async def test_an_exclusive_queue_is_405_for_others(self, url: str, channel: AbstractChannel, name: Name) -> None:
        queue = await channel.declare_queue(name(), exclusive=True)
        async with await aio_pika.connect(url) as stranger:
            with pytest.raises(ChannelLockedResource, match="RESOURCE_LOCKED"):
                await (await stranger.channel()).declare_queue(queue.name, exclusive=True)
            with pytest.raises(ChannelLockedResource):
                await (await stranger.channel()).declare_queue(queue.name, passive=True)

    async def test_an_exclusive_queue_dies_with_its_connection(
        self, url: str, connection: AbstractConnection, name: Name
    ) -> None:
        owner = await aio_pika.connect(url)
        queue = await (await owner.channel()).declare_queue(name(), exclusive=True)
        await owner.close()

        async def is_gone() -> bool:
            return not await exists(connection, queue.name)

        await eventually(is_gone)

    async def test_an_auto_delete_queue_goes_with_its_last_consumer(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await channel.declare_queue(name(), auto_delete=True)
        assert await exists(connection, queue.name)
        await queue.cancel((await consume(queue)).tag)
        assert not await exists(connection, queue.name)

    async def test_an_auto_delete_exchange_goes_with_its_last_binding(self, channel: AbstractChannel, name: Name) -> None:
        exchange = await channel.declare_exchange(name(), ExchangeType.FANOUT, auto_delete=True)
        queue = await declare(channel, name())
        await queue.bind(exchange)
        await queue.unbind(exchange)
        with pytest.raises(ChannelNotFoundEntity):
            await channel.declare_exchange(exchange.name, passive=True)

    async def test_an_unused_queue_expires(self, connection: AbstractConnection, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name(), expires=50)

        async def is_gone() -> bool:
            return not await exists(connection, f"{queue.name}")

        used = await declare(channel, name(), expires=50)
        await consume(used)
        # A passive declare counts as use, so the queue is looked at through its messages' way out: the default exchange.
        await eventually(lambda: _is_unroutable(channel, queue.name))
        assert await is_gone()
        assert await exists(connection, used.name)

    async def test_deleting_honours_if_unused_and_if_empty(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, "a")
        with pytest.raises(ChannelPreconditionFailed):
            await (await connection.channel()).queue_delete(queue.name, if_empty=True)
        await consume(queue)
        with pytest.raises(ChannelPreconditionFailed):
            await (await connection.channel()).queue_delete(queue.name, if_unused=True)
        await queue.delete(if_unused=False, if_empty=False)
        assert not await exists(connection, queue.name)

    async def test_deleting_a_queue_cancels_its_consumers(
        self, connection: AbstractConnection, channel: AbstractChannel, name: Name
    ) -> None:
        queue = await declare(channel, name())
        await consume(queue, tag="watcher")
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, UnderlayChannel)
        assert "watcher" in underlay.consumers
        await (await connection.channel()).queue_delete(queue.name)
        await eventually(lambda: "watcher" not in underlay.consumers)

    async def test_purging_tells_how_many_went(self, channel: AbstractChannel, name: Name) -> None:
        queue = await declare(channel, name())
        await publish(channel, queue.name, "a", "b", "c")
        assert (await queue.purge()).message_count == 3
        assert await drain(queue) == []

    async def test_deleting_what_is_not_there_is_no_error(self, channel: AbstractChannel, name: Name) -> None:
        assert (await channel.queue_delete(name())).message_count == 0
        await channel.exchange_delete(name())


async def _is_unroutable(channel: AbstractChannel, queue: str) -> bool:
    try:
        await channel.default_exchange.publish(aio_pika.Message(b""), queue, mandatory=True)
    except aio_pika.exceptions.PublishError:
        return True
    return False

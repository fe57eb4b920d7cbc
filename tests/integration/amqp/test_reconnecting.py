import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from pamqp import commands
from yarl import URL

from deploy.local.amqp import wire
from tests.integration.amqp.steps import DEADLINE_SECONDS, Proxy, consume, declare, publish

pytestmark = pytest.mark.integration

Name = Callable[[], str]


def through(proxy: Proxy) -> str:
    return f"amqp://guest:guest@127.0.0.1:{proxy.port}/?reconnect_interval=0.05"


class TestReconnecting:
    async def test_a_robust_consumer_resumes_with_what_it_held(self, channel: AbstractChannel, proxy: Proxy, name: Name) -> None:
        queue = await declare(channel, name())
        async with await aio_pika.connect_robust(through(proxy)) as robust:
            inbox = await consume(await (await robust.channel()).get_queue(queue.name))
            await publish(channel, queue.name, "before")
            held = await inbox.next()
            assert held.redelivered is False
            proxy.cut()
            again = await inbox.next()
            assert (again.body, again.redelivered) == (b"before", True)
            await again.ack()
            await publish(channel, queue.name, "after")
            assert (await inbox.next()).body == b"after"

    async def test_an_exclusive_queue_goes_when_the_connection_is_cut(
        self, channel: AbstractChannel, proxy: Proxy, name: Name
    ) -> None:
        lost = await aio_pika.connect(through(proxy))
        queue = await (await lost.channel()).declare_queue(name(), exclusive=True)
        proxy.cut()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                try:
                    await channel.default_exchange.publish(aio_pika.Message(b""), queue.name, mandatory=True)
                except aio_pika.exceptions.PublishError:
                    break
        await lost.close()

    async def test_a_silent_client_hears_heartbeats_and_is_then_cut_off(self, url: str) -> None:
        reader, writer = await asyncio.open_connection(URL(url).host, URL(url).port)
        writer.write(wire.PROTOCOL_HEADER)
        await reader.readuntil(wire.FRAME_END)
        writer.write(wire.method_frame(0, commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")))
        writer.write(wire.method_frame(0, commands.Connection.TuneOk(2047, wire.FRAME_MAX, 1)))
        writer.write(wire.method_frame(0, commands.Connection.Open("/")))
        heard = b""
        with suppress(ConnectionResetError):  # the way RabbitMQ hangs up
            async with asyncio.timeout(DEADLINE_SECONDS):
                while chunk := await reader.read(4096):
                    heard += chunk
        writer.close()
        assert heard.endswith(wire.HEARTBEAT_FRAME)
        assert heard.count(wire.HEARTBEAT_FRAME) >= 2

    async def test_a_vhost_that_is_the_default_can_be_named(self, url: str, name: Name) -> None:
        async with await aio_pika.connect(f"{url}%2F") as named:
            await declare(await named.channel(), name())


class TestFastStream:
    async def test_a_subscriber_hears_and_answers(self, url: str, name: Name) -> None:
        broker = RabbitBroker(url)
        queue, exchange = RabbitQueue(name(), durable=True), RabbitExchange(name(), type=ExchangeType.TOPIC)
        answers = RabbitQueue(f"answers.{secrets.token_hex(4)}", exclusive=True, durable=False)
        heard: asyncio.Queue[str] = asyncio.Queue()

        @broker.subscriber(RabbitQueue(queue.name, durable=True, routing_key="orders.*"), exchange)
        @broker.publisher(answers)
        async def on_order(body: str) -> str:
            return f"seen {body}"

        @broker.subscriber(answers)
        async def on_answer(body: str) -> None:
            await heard.put(body)

        async with broker:
            await broker.start()
            await broker.publish("one", exchange=exchange, routing_key="orders.created", mandatory=True)
            assert await asyncio.wait_for(heard.get(), DEADLINE_SECONDS) == "seen one"

    async def test_a_request_is_answered_over_a_reply_queue(self, url: str, channel: AbstractChannel, name: Name) -> None:
        broker = RabbitBroker(url)
        replies = await channel.declare_queue("", exclusive=True)
        inbox = await consume(replies, no_ack=True)
        work = name()

        @broker.subscriber(RabbitQueue(work, durable=True))
        async def double(body: int) -> int:
            return body * 2

        async with broker:
            await broker.start()
            await broker.publish(21, work, reply_to=replies.name, correlation_id="c-7")
            answer = await inbox.next()
        assert (answer.body, answer.correlation_id) == (b"42", "c-7")

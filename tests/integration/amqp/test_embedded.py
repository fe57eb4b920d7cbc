"""What only the embedded broker does, and what RabbitMQ offers no handle for."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest
import uvloop
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.exceptions import ChannelClosed
from aiormq.abc import AbstractChannel as UnderlayChannel
from pamqp import commands

from deploy.local.amqp import wire
from deploy.local.amqp.broker import EmbeddedBroker
from deploy.local.amqp.errors import SnapshotError
from tests.integration.amqp.steps import DEADLINE_SECONDS, consume, declare, drain, eventually, fetch, publish

pytestmark = pytest.mark.integration

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - the refusal of it is what is tested
ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def channel_to(broker: EmbeddedBroker) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await aio_pika.connect(broker.url) as connection:
        yield await connection.channel()


class TestState:
    async def test_an_orderly_stop_keeps_durable_topology_and_persistent_messages(self, tmp_path: Path) -> None:
        state = tmp_path / "broker.state"
        async with EmbeddedBroker(state=state) as broker, channel_to(broker) as channel:
            exchange = await channel.declare_exchange("kept", ExchangeType.TOPIC, durable=True)
            queue = await declare(channel, "work", queue_type="quorum", delivery_limit=5)
            await queue.bind(exchange, "a.*")
            await channel.declare_queue("transient", durable=False)
            for body in (b"one", b"two", b"three"):
                await exchange.publish(Message(body, delivery_mode=DeliveryMode.PERSISTENT, headers={"n": 1}), "a.b")
            await (await consume(queue)).next()
            await channel.close()
        async with EmbeddedBroker(state=state) as broker, channel_to(broker) as channel:
            queue = await declare(channel, "work", queue_type="quorum", delivery_limit=5)
            first = await fetch(queue)
            assert (first.body, first.headers["n"], first.redelivered) == (b"one", 1, True)
            await first.ack()
            exchange = await channel.get_exchange("kept")
            await exchange.publish(Message(b"four"), "a.c")
            assert await drain(queue) == ["two", "three", "four"]
            with pytest.raises(ChannelClosed):
                await channel.declare_queue("transient", passive=True)

    async def test_what_a_live_client_holds_at_the_stop_is_kept_too(self, tmp_path: Path) -> None:
        state = tmp_path / "broker.state"
        broker = EmbeddedBroker(state=state)
        await broker.start()
        client = await aio_pika.connect(broker.url)
        channel = await client.channel()
        queue = await declare(channel, "work")
        await publish(channel, "work", "a", "b")
        await fetch(queue)
        await broker.stop()
        await client.close()
        async with EmbeddedBroker(state=state) as again, channel_to(again) as channel:
            assert await drain(await declare(channel, "work")) == ["a", "b"]

    async def test_transient_messages_of_a_classic_queue_are_not_kept(self, tmp_path: Path) -> None:
        state = tmp_path / "broker.state"
        async with EmbeddedBroker(state=state) as broker, channel_to(broker) as channel:
            queue = await declare(channel, "work")
            transient = Message(b"transient", delivery_mode=DeliveryMode.NOT_PERSISTENT)
            await channel.default_exchange.publish(transient, "work")
            await publish(channel, "work", "persistent")
        async with EmbeddedBroker(state=state) as broker, channel_to(broker) as channel:
            queue = await declare(channel, "work")
            assert await drain(queue) == ["persistent"]

    async def test_a_loaded_state_is_not_loaded_twice(self, tmp_path: Path) -> None:
        state = tmp_path / "broker.state"
        async with EmbeddedBroker(state=state) as broker, channel_to(broker) as channel:
            await declare(channel, "work")
            await publish(channel, "work", "x")
        async with EmbeddedBroker(state=state):
            assert not state.exists()  # a kill from here on must not bring "x" back a second time

    async def test_a_damaged_state_stops_the_start(self, tmp_path: Path) -> None:
        state = tmp_path / "broker.state"
        state.write_bytes(b"\x00 not a snapshot")
        with pytest.raises(SnapshotError, match=r"broker\.state"):
            await EmbeddedBroker(state=state).start()


class TestLimits:
    async def test_publishers_wait_while_memory_is_short_and_go_on_afterwards(self) -> None:
        limit = 1024 * 1024
        async with (
            EmbeddedBroker(memory_limit_bytes=limit) as broker,
            await aio_pika.connect(broker.url) as publisher,
            channel_to(broker) as channel,
        ):
            queue = await declare(channel, "work")
            body = "x" * 100_000
            sending = asyncio.create_task(publish(await publisher.channel(), "work", *[body] * 40))
            await eventually(lambda: broker.queued_bytes > limit)
            assert broker.queued_bytes < limit + 200_000
            assert not sending.done()
            received = 0
            inbox = await consume(queue)
            while received < 40:
                await (await inbox.next()).ack()
                received += 1
            await asyncio.wait_for(sending, DEADLINE_SECONDS)
            await eventually(lambda: broker.queued_bytes == 0)

    async def test_a_consumer_that_does_not_read_does_not_fill_memory(self) -> None:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            queue = await declare(channel, "work")
            await publish(channel, "work", *["x" * 200_000] * 100)
            reader, writer = await _raw_consumer(broker, queue.name)
            await eventually(lambda: broker.queued_bytes < 20_000_000)
            ready = (await declare(channel, "work")).declaration_result.message_count or 0
            assert ready > 30  # of 20 MB, the rest of what fits no socket buffer stayed queued
            writer.close()
            del reader

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"x-max-priority": 5}, "x-max-priority"),
            ({"x-queue-type": "stream"}, "stream"),
            ({"x-single-active-consumer": True}, "x-single"),
        ],
    )
    async def test_arguments_it_does_not_have_are_540(self, arguments: dict[str, int | str], named: str) -> None:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            with pytest.raises(ChannelClosed, match=named) as caught:
                await channel.declare_queue("q", durable=True, arguments=dict(arguments))
            assert "NOT_IMPLEMENTED" in str(caught.value)

    async def test_methods_it_does_not_have_are_540_by_name(self) -> None:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            underlay: UnderlayChannel = await channel.get_underlay_channel()
            with pytest.raises(ChannelClosed, match=r"NOT_IMPLEMENTED - Tx\.Select"):
                await underlay.tx_select()

    @pytest.mark.parametrize(
        "garbage",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            wire.PROTOCOL_HEADER + b"\x01\x00\x00\xff\xff\xff\xff",
            wire.PROTOCOL_HEADER + b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\xce",
            wire.PROTOCOL_HEADER + b"\x01\x00\x07\x00\x00\x00\x04\x00\x3c\x00\x28\xce",
            wire.PROTOCOL_HEADER + b"\x02\x00\x01\x00\x00\x00\x01\x00\xce",
            wire.PROTOCOL_HEADER + b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0b\x00",
        ],
    )
    async def test_garbage_ends_its_connection_only(self, garbage: bytes) -> None:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            reader, writer = await asyncio.open_connection(broker.host, broker.port)
            writer.write(garbage)
            async with asyncio.timeout(DEADLINE_SECONDS):
                await reader.read()
            writer.close()
            await declare(channel, "still-here")

    async def test_malformed_properties_end_their_connection_only(self) -> None:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            queue = await declare(channel, "work")
            reader, writer = await _raw_consumer(broker, queue.name)
            writer.write(
                wire.method_frame(1, commands.Basic.Publish(routing_key="work"))
                + wire.content_frames(1, b"\x20\x00\x00\x00\xff\xff", b"x", wire.FRAME_MAX)
            )
            async with asyncio.timeout(DEADLINE_SECONDS):
                await reader.readuntil(b"PRECONDITION_FAILED")
            writer.close()
            await publish(channel, "work", "fine")

    async def test_dropped_connections_give_back_what_they_held(self) -> None:
        async with (
            EmbeddedBroker() as broker,
            await aio_pika.connect_robust(f"{broker.url}?reconnect_interval=0.05") as robust,
        ):
            channel = await robust.channel()
            await declare(channel, "work")
            await publish(channel, "work", "x")
            inbox = await consume(await channel.get_queue("work"))
            await inbox.next()
            await broker.drop_connections()
            again = await inbox.next()
            assert again.redelivered is True
            await again.ack()
            await eventually(lambda: broker.queued_bytes == 0)


class TestProcess:
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    async def test_a_stopped_process_starts_again_with_its_messages(self, tmp_path: Path, loop: str) -> None:
        arguments = ["--state", str(tmp_path / "state"), "--port-file", str(tmp_path / "port"), "--loop", loop]
        for attempt in range(2):
            (tmp_path / "port").unlink(missing_ok=True)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "deploy.local.amqp", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            await eventually((tmp_path / "port").exists)
            port = (tmp_path / "port").read_text().strip()
            async with await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{port}/") as connection:
                channel = await connection.channel()
                queue = await declare(channel, "work")
                if attempt == 0:
                    await publish(channel, "work", "kept")
                else:
                    assert await drain(queue) == ["kept"]
                os.kill(process.pid, signal.SIGTERM)
                said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
            assert process.returncode == 0
            assert b"DEVELOPMENT ONLY" in said

    async def test_only_this_machine_may_connect(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "deploy.local.amqp",
            "--host",
            ANY_ADDRESS,
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
        assert process.returncode == 2
        assert b"loopback" in said


def test_it_runs_under_uvloop() -> None:
    async def story() -> list[str]:
        async with EmbeddedBroker() as broker, channel_to(broker) as channel:
            dead = await declare(channel, "dead")
            await declare(channel, "work", message_ttl=20, dead_letter_exchange="", dead_letter_routing_key="dead")
            await publish(channel, "work", "a", "b")
            inbox = await consume(dead)
            return await inbox.bodies(2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(story()) == ["a", "b"]


async def _raw_consumer(broker: EmbeddedBroker, queue: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that consumes without acks and reads only what its caller reads."""
    reader, writer = await asyncio.open_connection(broker.host, broker.port, limit=1024)
    writer.write(wire.PROTOCOL_HEADER)
    writer.write(wire.method_frame(0, commands.Connection.StartOk({}, "PLAIN", "\0guest\0guest", "en_US")))
    writer.write(wire.method_frame(0, commands.Connection.TuneOk(2047, wire.FRAME_MAX, 0)))
    writer.write(wire.method_frame(0, commands.Connection.Open("/")))
    writer.write(wire.method_frame(1, commands.Channel.Open()))
    writer.write(wire.method_frame(1, commands.Basic.Consume(queue=queue, no_ack=True)))
    await writer.drain()
    return reader, writer

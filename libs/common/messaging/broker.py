"""The one place that configures FastStream, whose defaults lose messages."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from faststream.middlewares import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from libs.common.contracts.topology import Queue

PREFETCH_FRAMES: Final = 20
BACKLOG_FRAMES: Final = 2
"""Of a backlog's queue: one is handled while the next is on its way. The others stay with the broker."""
RECONNECT_SECONDS: Final = 0.5

Accept = Callable[[bytes], Awaitable[None]]
"""Handles a frame; returns when its messages are safe."""


def make_broker(url: str) -> RabbitBroker:
    """Build a broker whose consumers acknowledge by hand, take few frames at a time and reconnect within a second.

    `fail_fast` is off: a worker that starts before the broker waits for it.
    """
    return RabbitBroker(
        url,
        ack_policy=AckPolicy.MANUAL,
        reconnect_interval=RECONNECT_SECONDS,
        default_channel=_channel(PREFETCH_FRAMES),
        apply_types=False,
        graceful_timeout=10.0,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
    )


def subscribe(broker: RabbitBroker, queue: Queue, accept: Accept, *, prefetch: int | None = None) -> None:
    """Give every frame of a queue to `accept`; a frame that can't be made safe goes back to the queue.

    With a `prefetch` it has so many frames at a time and a channel of its own, without one it shares that of the others.
    """
    arguments = {name: value for name, value in queue.arguments.items() if name != "x-queue-type"}
    kind = QueueType(str(queue.arguments["x-queue-type"]))
    declared = RabbitQueue(queue.name, durable=True, queue_type=kind, arguments=arguments)  # type: ignore[call-overload]

    @broker.subscriber(declared, channel=_channel(prefetch) if prefetch else None, no_reply=True, decoder=_whole)
    async def on_frame(message: RabbitMessage) -> None:
        await _settle(accept, message)


def _channel(prefetch: int) -> Channel:
    return Channel(prefetch_count=prefetch, publisher_confirms=True, on_return_raises=True)


async def _whole(message: RabbitMessage) -> RabbitMessage:
    """Skip FastStream's decoding: a frame is taken apart by us, envelope by envelope."""
    return message


async def _settle(accept: Accept, message: RabbitMessage) -> None:
    try:
        await accept(message.body)
    except Exception:
        await message.nack(requeue=True)
        raise
    await message.ack()

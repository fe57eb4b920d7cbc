"""The one place that configures FastStream, whose defaults lose messages."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from faststream.middlewares import AckPolicy
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitMessage, RabbitQueue

from libs.common.contracts.topology import Queue

PREFETCH_FRAMES: Final = 20
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
        default_channel=Channel(prefetch_count=PREFETCH_FRAMES, publisher_confirms=True, on_return_raises=True),
        apply_types=False,
        graceful_timeout=10.0,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
    )


def subscribe(broker: RabbitBroker, queue: Queue, accept: Accept) -> None:
    """Give every frame of a queue to `accept`; a frame that can't be made safe goes back to the queue."""
    arguments = {name: value for name, value in queue.arguments.items() if name != "x-queue-type"}
    kind = QueueType(str(queue.arguments["x-queue-type"]))
    declared = RabbitQueue(queue.name, durable=True, queue_type=kind, arguments=arguments)  # type: ignore[call-overload]

    @broker.subscriber(declared, no_reply=True, decoder=_whole)
    async def on_frame(message: RabbitMessage) -> None:
        await _settle(accept, message)


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

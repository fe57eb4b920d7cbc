"""Says on the bus again, late, a part of what is said there: messages come twice, and out of their order."""

import asyncio
import functools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from libs.common.contracts.topology import SERVICES, Topology

_MARK: Final = "x-echo"
_SHARE: Final = 0.3
_LATE_SECONDS: Final = (0.0, 3.0)


class Echo:
    """Repeats commands and events; `count` says how many frames."""

    def __init__(self, dice: random.Random) -> None:
        """Repeat by these dice."""
        self.count = 0
        self._dice = dice
        self._late: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def on(self, amqp_url: str, topology: Topology) -> AsyncIterator[None]:
        """Repeat for the length of a block."""
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            for name, keys in ((topology.commands.name, SERVICES), (topology.events.name, ("#",))):
                exchange = await channel.get_exchange(name)
                queue = await channel.declare_queue(exclusive=True)
                for key in keys:
                    await queue.bind(exchange, key)
                await queue.consume(functools.partial(self._hear, exchange), no_ack=True)
            try:
                yield
            finally:
                for task in self._late:
                    task.cancel()
                await asyncio.gather(*self._late, return_exceptions=True)

    async def _hear(self, exchange: AbstractExchange, message: AbstractIncomingMessage) -> None:
        if _MARK in message.headers or self._dice.random() > _SHARE:
            return
        task = asyncio.create_task(self._repeat(message, exchange, self._dice.uniform(*_LATE_SECONDS)))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _repeat(self, message: AbstractIncomingMessage, exchange: AbstractExchange, seconds: float) -> None:
        await asyncio.sleep(seconds)
        again = aio_pika.Message(message.body, headers={_MARK: 1}, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(again, routing_key=message.routing_key or "", mandatory=False)
        self.count += 1

"""Removes a stack's queues and exchanges from a broker that others use too."""

import asyncio
import contextlib
from typing import Final

import aio_pika
import aiormq

from deploy.local.errors import LocalError
from deploy.local.servers import without_password
from libs.common.contracts.topology import names

_BROKER_SECONDS: Final = 10.0


async def remove_bus(url: str, prefix: str) -> None:
    """Delete every queue and exchange of a stack by name; what does not exist is fine.

    Raises:
        LocalError: the broker can't be reached, or the prefix is empty and would name somebody else's queues.
    """
    if not prefix:
        raise LocalError("a stack without a bus prefix has no queues of its own to remove")
    queues, exchanges = names(prefix)
    try:
        async with asyncio.timeout(_BROKER_SECONDS):
            connection = await aio_pika.connect(url)
            async with connection, connection.channel() as channel:
                for queue in queues:
                    await channel.queue_delete(queue)
                for exchange in exchanges:
                    with contextlib.suppress(aiormq.exceptions.ChannelNotFoundEntity):
                        await channel.exchange_delete(exchange)
    except (OSError, TimeoutError, aiormq.exceptions.AMQPError) as error:
        raise LocalError(f"the queues {prefix}* at {without_password(url)} are not removed: {error!r}") from None

"""Domain events put on the bus from outside, in any order a test likes."""

from collections.abc import Sequence
from typing import Any

import aio_pika
import msgspec

from libs.common.contracts.envelope import Envelope, Event, encode, frame, raw
from libs.common.contracts.topology import Topology, family
from libs.common.kernel.ids import Tenant, derive_id
from libs.common.settings import ServiceSettings


def event(tenant: Tenant, aggregate: str, sequence: int, *, kind: str = "order.created", data: object = None) -> Envelope:
    """Make an event as the write path would: its id follows from what it is about and its number."""
    body = Event(aggregate, sequence, "2026-01-12T10:00:00.000Z", raw(data if data is not None else {"n": sequence}))
    return Envelope(derive_id("evt", tenant, aggregate, sequence), kind, tenant, raw(body))


async def publish(config: ServiceSettings, frames: Sequence[Sequence[Envelope]]) -> None:
    """Publish frames to the events exchange, one after the other; a frame holds events of one family.

    A broker that breaks off (RabbitMQ does, when another run deletes its queues meanwhile) is given all of them again.
    """
    try:
        await _publish(config, frames)
    except aio_pika.exceptions.AMQPError:
        await _publish(config, frames)


async def _publish(config: ServiceSettings, frames: Sequence[Sequence[Envelope]]) -> None:
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    async with await aio_pika.connect(config.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(topology.events.name)
        for envelopes in frames:
            body = frame([encode(envelope) for envelope in envelopes])
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, family(envelopes[0].type), mandatory=True)


def as_dict(body: bytes) -> dict[str, Any]:
    """Read JSON."""
    decoded: dict[str, Any] = msgspec.json.decode(body)
    return decoded

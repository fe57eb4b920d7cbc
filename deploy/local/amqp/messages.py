from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pamqp import decode

from deploy.local.amqp import properties, wire

ENTRY_OVERHEAD_BYTES = 384
"""What a queued message costs beside its body and property list: objects, address, deque slot. Measured with tracemalloc: 280."""

DELIVERY_COUNT = "x-delivery-count"


class Message:
    """What was published: address, property list and body as raw octets, shared by all queues it was routed to."""

    __slots__ = ("address", "body", "properties")

    def __init__(self, address: bytes, properties: bytes, body: bytes) -> None:
        self.address = address
        self.properties = properties
        self.body = body


class Entry:
    """One message's place in one queue."""

    __slots__ = ("delivery_count", "expires_at", "message", "position", "redelivered")

    def __init__(self, message: Message, position: int, expires_at: float | None) -> None:
        self.message = message
        self.position = position
        self.expires_at = expires_at
        self.redelivered = False
        self.delivery_count = 0

    @property
    def cost_bytes(self) -> int:
        message = self.message
        return len(message.body) + len(message.properties) + ENTRY_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Why and where a message died, for its x-death header."""

    queue: str
    reason: str
    at_unix: int


def with_delivery_count(raw: bytes, count: int) -> bytes:
    """The property list of a quorum queue's delivery; RabbitMQ 3.10 counts from 0."""
    if DELIVERY_COUNT.encode() not in raw:
        return properties.append_header(raw, DELIVERY_COUNT, properties.long_field(count))
    parts = properties.split(raw)
    fields = properties.header_fields(parts)
    return properties.join(properties.with_headers(parts, {**fields, DELIVERY_COUNT: properties.long_field(count)}))


def bury(message: Message, death: Death, *, exchange: str, routing_key: str | None) -> Message:
    """The message as it goes to a dead-letter exchange.

    Follows RabbitMQ's rabbit_dead_letter: one x-death entry per (queue, reason), newest first, with a count; the message's own
    expiration is taken off and kept in that entry; x-first-death-* are written once.
    """
    dead_exchange, dead_key = wire.parse_address(message.address)
    parts = properties.split(message.properties)
    fields = properties.header_fields(parts)
    deaths = _decoded_deaths(fields)
    previous = next((one for one in deaths if (one.get("queue"), one.get("reason")) == (death.queue, death.reason)), None)
    newest: dict[str, Any] = {
        "count": (previous or {}).get("count", 0) + 1,
        "reason": death.reason,
        "queue": death.queue,
        "time": death.at_unix,
        "exchange": dead_exchange,
        "routing-keys": [dead_key],
    }
    expiration = parts.pop(properties.EXPIRATION_BIT, None)
    if expiration is not None:
        newest["original-expiration"] = expiration[1:].decode()
    history = [newest, *(one for one in deaths if one is not previous)]
    fields["x-death"] = properties.array_field(_encoded_death(one) for one in history)
    for name, value in (("reason", death.reason), ("queue", death.queue), ("exchange", dead_exchange)):
        fields.setdefault(f"x-first-death-{name}", properties.field(value))
    fields.pop(DELIVERY_COUNT, None)
    address = wire.address(exchange, dead_key if routing_key is None else routing_key)
    return Message(address, properties.join(properties.with_headers(parts, fields)), message.body)


def closes_cycle(message: Message, queue: str) -> bool:
    """Whether routing the buried message to `queue` closes a cycle in which nobody rejected it; RabbitMQ drops such messages."""
    deaths = _decoded_deaths(properties.header_fields(properties.split(message.properties)))
    for one in deaths:
        if one.get("reason") == "rejected":
            return False
        if one.get("queue") == queue:
            return True
    return False


def _decoded_deaths(fields: Mapping[str, bytes]) -> list[dict[str, Any]]:
    raw = fields.get("x-death")
    if raw is None or raw[:1] != b"A":
        return []
    _, decoded = decode.field_array(raw[1:])
    return [one for one in decoded if isinstance(one, dict)]


def _encoded_death(death: Mapping[str, Any]) -> dict[str, bytes]:
    encoded = {name: properties.field(value) for name, value in death.items() if name not in {"count", "time"}}
    encoded["count"] = properties.long_field(death["count"])
    encoded["time"] = _timestamp_field(death["time"])
    return encoded


def _timestamp_field(value: int | datetime) -> bytes:
    seconds = value if isinstance(value, int) else int(value.timestamp())
    return b"T" + seconds.to_bytes(8, "big")

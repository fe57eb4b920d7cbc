from typing import Protocol

from deploy.local.amqp import wire
from deploy.local.amqp.messages import Entry
from deploy.local.amqp.queues import Queue


class Outlet(Protocol):
    """What a consumer needs of the channel it lives on."""

    def has_credit(self, consumer: "Consumer") -> bool: ...

    def deliver(self, consumer: "Consumer", entry: Entry) -> None: ...

    def cancelled_by_broker(self, consumer: "Consumer") -> None: ...


class Consumer:
    __slots__ = ("exclusive", "no_ack", "outlet", "prefetch", "prefix", "queue", "tag", "unacked_count", "waiting")

    def __init__(self, *, tag: str, queue: Queue, outlet: Outlet, no_ack: bool, exclusive: bool, prefetch: int) -> None:
        self.tag = tag
        self.queue = queue
        self.outlet = outlet
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch = prefetch
        self.prefix = wire.deliver_prefix(tag)
        self.unacked_count = 0
        self.waiting = False

    def can_take(self) -> bool:
        if self.prefetch and self.unacked_count >= self.prefetch and not self.no_ack:
            return False
        return self.outlet.has_credit(self)

    def take(self, entry: Entry) -> None:
        self.outlet.deliver(self, entry)

    def cancel(self) -> None:
        self.outlet.cancelled_by_broker(self)

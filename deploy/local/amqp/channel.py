from collections.abc import Callable
from typing import Protocol

from pamqp import base, commands

from deploy.local.amqp import properties, wire
from deploy.local.amqp.consumers import Consumer
from deploy.local.amqp.errors import NO_ROUTE, NOT_FOUND, PRECONDITION_FAILED, ChannelError
from deploy.local.amqp.messages import Entry, Message, with_delivery_count
from deploy.local.amqp.queues import Queue
from deploy.local.amqp.vhost import VirtualHost


class Link(Protocol):
    """What a channel needs of the connection it runs over."""

    frame_max: int
    is_writable: bool
    notifies_cancel: bool

    def send(self, data: bytes) -> None: ...

    def before_flush(self, emit: Callable[[], None]) -> None:
        """Calls `emit` once, right before what was sent in this turn of the loop leaves."""


class Held:
    """A delivery the client has not settled; `consumer` is None for a basic.get."""

    __slots__ = ("consumer", "entry", "queue")

    def __init__(self, queue: Queue, entry: Entry, consumer: Consumer | None) -> None:
        self.queue = queue
        self.entry = entry
        self.consumer = consumer


class Channel:
    """Deliveries, credit and confirms of one channel. Methods raise ChannelError; the connection turns it into channel.close."""

    def __init__(self, number: int, link: Link, vhost: VirtualHost) -> None:
        self.number = number
        self.vhost = vhost
        self.consumers: dict[str, Consumer] = {}
        self.default_prefetch = 0
        self.shared_prefetch = 0
        self.last_queue = ""
        self.is_closing = False
        self.confirms = False
        self._link = link
        self._held: dict[int, Held] = {}
        self._held_by_consumers = 0
        self._last_tag = 0
        self._published = 0
        self._confirmed = 0
        self._confirm_due = False

    # --- publishing -----------------------------------------------------------------------------------------------------

    def publish(self, address: bytes, raw_properties: bytes, body: bytes, *, mandatory: bool) -> None:
        queues = self.vhost.route(address)
        expiration = _expiration(raw_properties)
        message = Message(address, raw_properties, body)
        refused = False
        for queue in queues:
            if queue.refuses:
                refused = True
            else:
                queue.push(message, expiration)
        if mandatory and not queues:
            self._link.send(
                wire.return_frame(self.number, NO_ROUTE, "NO_ROUTE", address)
                + wire.content_frames(self.number, raw_properties, body, self._link.frame_max)
            )
        if self.confirms:
            self._confirm(refused=refused)

    def _confirm(self, *, refused: bool) -> None:
        if refused:
            self.flush_confirms()
            self._published += 1
            self._confirmed = self._published
            self._link.send(wire.method_frame(self.number, commands.Basic.Nack(self._published, multiple=False, requeue=False)))
            return
        self._published += 1
        if not self._confirm_due:
            self._confirm_due = True
            self._link.before_flush(self.flush_confirms)

    def flush_confirms(self) -> None:
        """Acknowledges everything queued since the last time in one frame."""
        self._confirm_due = False
        count = self._published - self._confirmed
        if count > 0:
            self._confirmed = self._published
            self._link.send(wire.ack_frame(self.number, self._published, multiple=count > 1))

    # --- delivering -----------------------------------------------------------------------------------------------------

    def has_credit(self, consumer: Consumer) -> bool:
        if not self._link.is_writable:
            return False
        return consumer.no_ack or not self.shared_prefetch or self._held_by_consumers < self.shared_prefetch

    def deliver(self, consumer: Consumer, entry: Entry) -> None:
        message = entry.message
        self._last_tag = tag = self._last_tag + 1
        if not consumer.no_ack:
            self._held[tag] = Held(consumer.queue, entry, consumer)
            consumer.unacked_count += 1
            self._held_by_consumers += 1
        link = self._link
        link.send(
            wire.deliver_frame(self.number, consumer.prefix, tag, message.address, redelivered=entry.redelivered)
            + wire.content_frames(self.number, _delivered_properties(consumer.queue, entry), message.body, link.frame_max)
        )

    def cancelled_by_broker(self, consumer: Consumer) -> None:
        """The consumer's queue is gone."""
        self.consumers.pop(consumer.tag, None)
        if self._link.notifies_cancel and not self.is_closing:
            self._link.send(wire.method_frame(self.number, commands.Basic.Cancel(consumer.tag, nowait=True)))

    def get(self, queue: Queue, *, no_ack: bool) -> bool:
        """Sends get-ok with the head; False when the queue is empty."""
        entry = queue.pop()
        if entry is None:
            return False
        self._last_tag += 1
        if no_ack:
            queue.settle(entry)
        else:
            self._held[self._last_tag] = Held(queue, entry, None)
        message = entry.message
        remaining = len(queue.ready)
        self._link.send(
            wire.get_ok_frame(self.number, self._last_tag, message.address, remaining, redelivered=entry.redelivered)
            + wire.content_frames(self.number, _delivered_properties(queue, entry), message.body, self._link.frame_max)
        )
        return True

    # --- settling -------------------------------------------------------------------------------------------------------

    def ack(self, tag: int, *, multiple: bool) -> None:
        if not multiple:
            held = self._held.pop(tag, None)
            if held is None:
                raise _unknown_tag(tag)
            held.queue.settle(held.entry)
            self._give_credit(held)
            return
        for held in self._take(tag, multiple=True):
            held.queue.settle(held.entry)
            self._give_credit(held)

    def reject(self, tag: int, *, multiple: bool, requeue: bool) -> None:
        taken = self._take(tag, multiple=multiple)
        if requeue:
            self._requeue(taken, by_client=True)
        else:
            for held in taken:
                held.queue.reject(held.entry)
        for held in taken:
            self._give_credit(held)

    def recover(self) -> None:
        """Requeues everything that is not settled."""
        taken = list(self._held.values())
        self._held.clear()
        self._requeue(taken, by_client=True)
        for held in taken:
            self._give_credit(held)

    def _take(self, tag: int, *, multiple: bool) -> list[Held]:
        if not multiple:
            held = self._held.pop(tag, None)
            if held is None:
                raise _unknown_tag(tag)
            return [held]
        if tag == 0:
            tags = list(self._held)
        else:
            if tag not in self._held:
                raise _unknown_tag(tag)
            tags = []
            for one in self._held:  # tags only grow, so insertion order is their order
                if one > tag:
                    break
                tags.append(one)
        return [self._held.pop(one) for one in tags]

    def _requeue(self, taken: list[Held], *, by_client: bool) -> None:
        by_queue: dict[Queue, list[Entry]] = {}
        for held in taken:
            by_queue.setdefault(held.queue, []).append(held.entry)
        for queue, entries in by_queue.items():
            if by_client:
                queue.requeue(entries)
            else:
                queue.put_back(entries)

    def _give_credit(self, held: Held) -> None:
        consumer = held.consumer
        if consumer is None:
            return
        consumer.unacked_count -= 1
        self._held_by_consumers -= 1
        if self.shared_prefetch:
            self.wake_consumers()
        elif not consumer.waiting and self.consumers.get(consumer.tag) is consumer:
            held.queue.wake(consumer)

    def wake_consumers(self) -> None:
        for consumer in list(self.consumers.values()):
            consumer.queue.wake(consumer)

    # --- consumers ------------------------------------------------------------------------------------------------------

    def start(self, consumer: Consumer, *, announce: base.Frame | None) -> None:
        """Adds a consumer; consume-ok has to leave before its first delivery."""
        self.consumers[consumer.tag] = consumer
        consumer.queue.add_consumer(consumer)
        if announce is not None:
            self._link.send(wire.method_frame(self.number, announce))
        consumer.queue.wake(consumer)

    def cancel(self, tag: str) -> None:
        """Ends a consumer; its unsettled deliveries stay with the channel. An unknown tag is not an error."""
        consumer = self.consumers.pop(tag, None)
        if consumer is None:
            return
        queue = consumer.queue
        queue.remove_consumer(consumer)
        if queue.settings.auto_delete and not queue.consumers and not queue.is_deleted:
            self.vhost.remove_queue(queue)

    def close(self) -> None:
        """Ends the consumers and gives back what they held."""
        self.is_closing = True
        for tag in list(self.consumers):
            self.cancel(tag)
        taken = list(self._held.values())
        self._held.clear()
        self._requeue(taken, by_client=False)

    def resolve(self, queue: str) -> str:
        """An empty queue name means the last queue declared on this channel."""
        if queue:
            return queue
        if not self.last_queue:
            raise ChannelError(NOT_FOUND, "no previously declared queue")
        return self.last_queue


def _expiration(raw_properties: bytes) -> int | None:
    try:
        return properties.expiration_ms(raw_properties)
    except (ValueError, IndexError) as error:
        raise ChannelError(PRECONDITION_FAILED, str(error)) from error


def _delivered_properties(queue: Queue, entry: Entry) -> bytes:
    raw = entry.message.properties
    return with_delivery_count(raw, entry.delivery_count) if queue.is_quorum else raw


def _unknown_tag(tag: int) -> ChannelError:
    return ChannelError(PRECONDITION_FAILED, f"unknown delivery tag {tag}")

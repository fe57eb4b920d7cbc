import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from deploy.local.amqp.memory import MemoryGauge
from deploy.local.amqp.messages import Entry, Message
from deploy.local.amqp.settings import Overflow, QueueKind, QueueSettings


class Taker(Protocol):
    """A consumer as its queue sees it."""

    no_ack: bool
    exclusive: bool
    waiting: bool
    """Whether the consumer stands in the queue's rotation; the queue's own mark."""

    def can_take(self) -> bool: ...

    def take(self, entry: Entry) -> None: ...

    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop a queue needs: `time()` and `call_at` in the same seconds."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle: ...


class Queue:
    """Messages in order, and the consumers that take turns at them.

    Ready entries are kept sorted by `position`, so a requeued one returns to its original place. An entry that was handed out is
    remembered by whoever holds it (the channel) and counts against the memory gauge until it is settled.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        *,
        gauge: MemoryGauge,
        timers: Timers,
        bury: Callable[["Queue", Entry, str], None],
        expire: Callable[["Queue"], None],
        owner: object | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.owner = owner
        self.ready: deque[Entry] = deque()
        self.consumers: list[Taker] = []
        self.had_consumers = False
        self.is_deleted = False
        self.unsettled: dict[int, Entry] = {}
        self.is_quorum = settings.kind is QueueKind.QUORUM
        self._rotation: deque[Taker] = deque()
        self._gauge = gauge
        self._timers = timers
        self._bury = bury
        self._expire = expire
        self._next_position = 0
        self._ttl_timer: asyncio.TimerHandle | None = None
        self._expires_timer: asyncio.TimerHandle | None = None
        self._used_at = timers.time()
        self.touch()

    # --- messages -------------------------------------------------------------------------------------------------------

    @property
    def refuses(self) -> bool:
        """Whether a publish must be nacked now."""
        settings = self.settings
        if settings.overflow is not Overflow.REJECT_PUBLISH or settings.max_length is None:
            return False
        return len(self.ready) >= settings.max_length

    def push(self, message: Message, expiration_ms: int | None = None) -> None:
        entry = Entry(message, self._next_position, self._deadline(expiration_ms))
        self._next_position += 1
        self._gauge.add(entry.cost_bytes)
        self.ready.append(entry)
        self.dispatch()
        limit = self.settings.max_length
        if limit is not None and len(self.ready) > limit:
            self._drop(self.ready.popleft(), "maxlen")

    def restore(self, entry: Entry) -> None:
        """Puts an entry of a snapshot back at the end."""
        entry.position = self._next_position
        self._next_position += 1
        self._gauge.add(entry.cost_bytes)
        self.ready.append(entry)
        self._arm_ttl()

    def pop(self) -> Entry | None:
        """The head for a basic.get; it is the caller's to settle."""
        self._used_at = self._timers.time()
        self._drop_expired()
        if not self.ready:
            return None
        entry = self.ready.popleft()
        self.unsettled[entry.position] = entry
        return entry

    def settle(self, entry: Entry) -> None:
        """The consumer is done with the entry."""
        if self.unsettled.pop(entry.position, None) is not None:
            self._gauge.release(entry.cost_bytes)

    def reject(self, entry: Entry) -> None:
        if self.unsettled.pop(entry.position, None) is not None:
            self._drop(entry, "rejected")

    def requeue(self, entries: Sequence[Entry]) -> None:
        """The consumer wants the entries delivered again.

        They return to their places, except in a quorum queue without a delivery limit, where RabbitMQ puts them last, so that a
        poison message cannot hold up the queue for ever.
        """
        if self.is_quorum and self.settings.delivery_limit is None:
            for entry in entries:
                if self.unsettled.pop(entry.position, None) is not None:
                    entry.position = self._next_position
                    self._next_position += 1
                    self.unsettled[entry.position] = entry
        self.put_back(entries)

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Whoever held the entries is gone; they return to their places, or die of a quorum queue's delivery limit."""
        limit = self.settings.delivery_limit
        for entry in entries:
            if self.unsettled.pop(entry.position, None) is None:
                continue
            entry.redelivered = True
            entry.delivery_count += 1
            if limit is not None and entry.delivery_count > limit:
                self._drop(entry, "delivery_limit")
            else:
                self._insert(entry)
        self._arm_ttl()
        self.dispatch()

    def purge(self) -> int:
        count = len(self.ready)
        for entry in self.ready:
            self._gauge.release(entry.cost_bytes)
        self.ready.clear()
        return count

    def _insert(self, entry: Entry) -> None:
        if not self.ready or self.ready[-1].position < entry.position:
            self.ready.append(entry)
            return
        # Only earlier requeued entries can stand before this one, so the scan is as short as their number.
        index = 0
        for other in self.ready:
            if other.position > entry.position:
                break
            index += 1
        self.ready.insert(index, entry)

    def _drop(self, entry: Entry, reason: str) -> None:
        self._gauge.release(entry.cost_bytes)
        if self.settings.dead_letter_exchange is not None:
            self._bury(self, entry, reason)

    # --- consumers ------------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Hands ready entries to consumers in turn, until one side runs out."""
        ready, rotation = self.ready, self._rotation
        while ready and rotation:
            consumer = rotation[0]
            if not consumer.can_take():
                rotation.popleft()
                consumer.waiting = False
                continue
            entry = ready[0]
            if entry.expires_at is not None and entry.expires_at <= self._timers.time():
                self._drop(ready.popleft(), "expired")
                continue
            ready.popleft()
            rotation.rotate(-1)
            if consumer.no_ack:
                self._gauge.release(entry.cost_bytes)
            else:
                self.unsettled[entry.position] = entry
            consumer.take(entry)
        if ready and ready[0].expires_at is not None:
            self._arm_ttl()

    def wake(self, consumer: Taker) -> None:
        """The consumer may be able to take again."""
        if not consumer.waiting:
            consumer.waiting = True
            self._rotation.append(consumer)
        if self.ready:
            self.dispatch()

    def add_consumer(self, consumer: Taker) -> None:
        self.consumers.append(consumer)
        self.had_consumers = True

    def remove_consumer(self, consumer: Taker) -> None:
        self.consumers.remove(consumer)
        if consumer.waiting:
            self._rotation.remove(consumer)
            consumer.waiting = False
        if not self.consumers:
            self.touch()

    def delete(self) -> int:
        """Lets everything go without dead-lettering and cancels the consumers; the number of ready messages that were lost."""
        self.is_deleted = True
        for timer in (self._ttl_timer, self._expires_timer):
            if timer is not None:
                timer.cancel()
        lost = self.purge()
        for entry in self.unsettled.values():
            self._gauge.release(entry.cost_bytes)
        self.unsettled.clear()
        consumers, self.consumers = self.consumers, []
        self._rotation.clear()
        for consumer in consumers:
            consumer.cancel()
        return lost

    # --- time -----------------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """The queue is in use, so its x-expires period starts again."""
        self._used_at = self._timers.time()
        if self.settings.expires is not None and self._expires_timer is None:
            self._expires_timer = self._timers.call_at(self._used_at + self.settings.expires / 1000, self._check_unused)

    def _check_unused(self) -> None:
        self._expires_timer = None
        period = (self.settings.expires or 0) / 1000
        if self.consumers:
            return  # the last one to leave touches the queue
        if self._timers.time() >= self._used_at + period:
            self._expire(self)
        else:
            self._expires_timer = self._timers.call_at(self._used_at + period, self._check_unused)

    def _deadline(self, expiration_ms: int | None) -> float | None:
        ttl = self.settings.message_ttl
        if expiration_ms is not None:
            ttl = expiration_ms if ttl is None else min(ttl, expiration_ms)
        return None if ttl is None else self._timers.time() + ttl / 1000

    def _arm_ttl(self) -> None:
        due = self.ready[0].expires_at if self.ready else None
        if due is None:
            return
        if self._ttl_timer is not None:
            if self._ttl_timer.when() <= due:
                return
            self._ttl_timer.cancel()
        self._ttl_timer = self._timers.call_at(due, self._on_ttl)

    def _on_ttl(self) -> None:
        self._ttl_timer = None
        self._drop_expired()
        self._arm_ttl()

    def _drop_expired(self) -> None:
        # Like RabbitMQ, only the head expires: a later message with a shorter TTL waits for those before it.
        now = self._timers.time()
        while self.ready:
            due = self.ready[0].expires_at
            if due is None or due > now:
                return
            self._drop(self.ready.popleft(), "expired")

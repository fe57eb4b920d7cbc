import secrets
from collections.abc import Callable, Mapping
from typing import Any

from deploy.local.amqp import settings as queue_settings
from deploy.local.amqp import wire
from deploy.local.amqp.errors import (
    ACCESS_REFUSED,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    PRECONDITION_FAILED,
    RESOURCE_LOCKED,
    ChannelError,
)
from deploy.local.amqp.exchanges import Exchange, ExchangeKind, ExchangeSettings
from deploy.local.amqp.memory import MemoryGauge
from deploy.local.amqp.messages import Death, Entry, bury, closes_cycle
from deploy.local.amqp.queues import Queue, Timers
from deploy.local.amqp.settings import QueueSettings

DEFAULT_EXCHANGE = ""
PREDECLARED = {
    "amq.direct": ExchangeKind.DIRECT,
    "amq.fanout": ExchangeKind.FANOUT,
    "amq.topic": ExchangeKind.TOPIC,
}
ROUTE_CACHE_SIZE = 10_000


class VirtualHost:
    """The exchanges and queues of one namespace, and the rules about who may declare, bind and delete them."""

    def __init__(self, name: str, *, gauge: MemoryGauge, timers: Timers, unix_now: Callable[[], int]) -> None:
        self.name = name
        self.queues: dict[str, Queue] = {}
        self.exchanges: dict[str, Exchange] = {
            exchange: Exchange(exchange, ExchangeSettings(kind=kind, durable=True)) for exchange, kind in PREDECLARED.items()
        }
        self._gauge = gauge
        self._timers = timers
        self._unix_now = unix_now
        self._routes: dict[bytes, tuple[Queue, ...]] = {}

    # --- routing --------------------------------------------------------------------------------------------------------

    def route(self, address: bytes) -> tuple[Queue, ...]:
        """Queues a publish goes to.

        Raises:
            ChannelError: 404, no such exchange; 403, it is internal.
            ValueError: the address is malformed.
        """
        queues = self._routes.get(address)
        if queues is None:
            exchange, key = wire.parse_address(address)
            queues = self._find_route(exchange, key)
            if len(self._routes) >= ROUTE_CACHE_SIZE:
                self._routes.clear()
            self._routes[address] = queues
        return queues

    def _find_route(self, name: str, key: str) -> tuple[Queue, ...]:
        if name == DEFAULT_EXCHANGE:
            queue = self.queues.get(key)
            return () if queue is None else (queue,)
        exchange = self.exchange(name)
        if exchange.settings.internal:
            raise ChannelError(ACCESS_REFUSED, f"cannot publish to internal exchange '{name}' in vhost '{self.name}'")
        return tuple(self.queues[queue] for queue in exchange.route(key))

    def _bury(self, queue: Queue, entry: Entry, reason: str) -> None:
        name = queue.settings.dead_letter_exchange
        if name is None or (name != DEFAULT_EXCHANGE and name not in self.exchanges):
            return
        death = Death(queue=queue.name, reason=reason, at_unix=self._unix_now())
        message = bury(entry.message, death, exchange=name, routing_key=queue.settings.dead_letter_routing_key)
        for target in self._routes_of(name, wire.parse_address(message.address)[1]):
            if not closes_cycle(message, target.name):
                target.push(message)

    def _routes_of(self, name: str, key: str) -> list[Queue]:
        names = [key] if name == DEFAULT_EXCHANGE else self.exchanges[name].route(key)
        return [self.queues[queue] for queue in names if queue in self.queues]

    # --- exchanges ------------------------------------------------------------------------------------------------------

    def exchange(self, name: str) -> Exchange:
        found = self.exchanges.get(name)
        if found is None:
            raise ChannelError(NOT_FOUND, f"no exchange '{name}' in vhost '{self.name}'")
        return found

    def declare_exchange(self, name: str, kind: str, *, durable: bool, auto_delete: bool, internal: bool) -> None:
        if kind not in set(ExchangeKind):
            raise ChannelError(NOT_IMPLEMENTED, f"exchange type '{kind}' is not supported by the embedded broker")
        settings = ExchangeSettings(kind=ExchangeKind(kind), durable=durable, auto_delete=auto_delete, internal=internal)
        current = self.exchanges.get(name)
        if current is not None:
            queue_settings.check_same("exchange", name, current.settings, settings)
        elif name == DEFAULT_EXCHANGE or name.startswith("amq."):
            raise ChannelError(ACCESS_REFUSED, f"exchange name '{name}' contains reserved prefix 'amq.*'")
        else:
            self.exchanges[name] = Exchange(name, settings)
            self._routes.clear()

    def delete_exchange(self, name: str, *, if_unused: bool) -> None:
        if name == DEFAULT_EXCHANGE or name in PREDECLARED:
            raise ChannelError(ACCESS_REFUSED, f"operation not permitted on exchange '{name}'")
        found = self.exchanges.get(name)
        if found is None:
            return
        if if_unused and not found.is_unbound:
            raise ChannelError(PRECONDITION_FAILED, f"exchange '{name}' in vhost '{self.name}' in use")
        del self.exchanges[name]
        self._routes.clear()

    # --- queues ---------------------------------------------------------------------------------------------------------

    def queue(self, name: str, connection: object) -> Queue:
        found = self.queues.get(name)
        if found is None:
            raise ChannelError(NOT_FOUND, f"no queue '{name}' in vhost '{self.name}'")
        if found.owner is not None and found.owner is not connection:
            raise self._locked(name)
        return found

    def _locked(self, name: str) -> ChannelError:
        return ChannelError(
            RESOURCE_LOCKED,
            f"cannot obtain exclusive access to locked queue '{name}' in vhost '{self.name}'. It could be originally declared on "
            "another connection or the exclusive property value does not match that of the original declaration.",
        )

    def declare_queue(
        self,
        name: str,
        connection: object,
        *,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        arguments: Mapping[str, Any],
    ) -> Queue:
        """The queue, new or already there with the same properties; an empty name gets a generated one."""
        settings = queue_settings.parse(durable=durable, auto_delete=auto_delete, exclusive=exclusive, arguments=arguments)
        current = self.queues.get(name)
        if current is not None:
            if current.owner is not (connection if exclusive else None):
                raise self._locked(name)
            queue_settings.check_same("queue", name, current.settings, settings)
            current.touch()
            return current
        if name.startswith("amq."):
            raise ChannelError(ACCESS_REFUSED, f"queue name '{name}' contains reserved prefix 'amq.*'")
        return self.add_queue(name or f"amq.gen-{secrets.token_urlsafe(16)}", settings, connection if exclusive else None)

    def add_queue(self, name: str, settings: QueueSettings, owner: object | None = None) -> Queue:
        queue = Queue(
            name,
            settings,
            gauge=self._gauge,
            timers=self._timers,
            bury=self._bury,
            expire=self._expire,
            owner=owner,
        )
        self.queues[name] = queue
        self._routes.clear()
        return queue

    def delete_queue(self, name: str, connection: object, *, if_unused: bool, if_empty: bool) -> int:
        """The number of ready messages lost; a queue that is not there is not an error, as in RabbitMQ."""
        if name not in self.queues:
            return 0
        queue = self.queue(name, connection)
        if if_unused and queue.consumers:
            raise ChannelError(PRECONDITION_FAILED, f"queue '{name}' in vhost '{self.name}' in use")
        if if_empty and queue.ready:
            raise ChannelError(PRECONDITION_FAILED, f"queue '{name}' in vhost '{self.name}' is not empty")
        return self.remove_queue(queue)

    def remove_queue(self, queue: Queue) -> int:
        del self.queues[queue.name]
        for exchange in list(self.exchanges.values()):
            if exchange.unbind_queue(queue.name):
                self._delete_if_done(exchange)
        self._routes.clear()
        return queue.delete()

    def _expire(self, queue: Queue) -> None:
        self.remove_queue(queue)

    def release_owned(self, connection: object) -> None:
        """Deletes the exclusive queues of a connection that ended."""
        for queue in [queue for queue in self.queues.values() if queue.owner is connection]:
            self.remove_queue(queue)

    # --- bindings -------------------------------------------------------------------------------------------------------

    def bind(self, queue: Queue, exchange: str, key: str) -> None:
        self._refuse_default(exchange)
        self.exchange(exchange).bind(queue.name, key)
        self._routes.clear()

    def unbind(self, queue: Queue, exchange: str, key: str) -> None:
        self._refuse_default(exchange)
        found = self.exchange(exchange)
        if found.unbind(queue.name, key):
            self._routes.clear()
            self._delete_if_done(found)

    def _refuse_default(self, exchange: str) -> None:
        if exchange == DEFAULT_EXCHANGE:
            raise ChannelError(ACCESS_REFUSED, "operation not permitted on the default exchange")

    def _delete_if_done(self, exchange: Exchange) -> None:
        if exchange.settings.auto_delete and exchange.is_unbound:
            self.exchanges.pop(exchange.name, None)
            self._routes.clear()

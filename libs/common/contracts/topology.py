"""Every exchange, queue and routing key of the bus; no such name is written anywhere else."""

from dataclasses import dataclass
from typing import Final, Literal

SERVICES: Final = ("ledger", "escrow", "payouts", "webhooks")
"""The services with queues; the gateway only has its reply queues."""

FAMILIES: Final = ("users", "balances", "orders", "wallets", "withdrawals", "topups", "webhooks")
"""The routing keys of events."""

FAMILY_OF: Final = {
    "user": "users",
    "balance": "balances",
    "order": "orders",
    "escrow": "orders",
    "dispute": "orders",
    "wallet": "wallets",
    "withdrawal": "withdrawals",
    "topup": "topups",
    "webhook": "webhooks",
}

LISTENS: Final[dict[str, tuple[str, ...]]] = {
    "ledger": (),
    "escrow": ("users",),
    "payouts": ("users",),
    "webhooks": FAMILIES,
}

BACKLOGS: Final = ("webhooks",)
"""The services that set aside what a tenant brings beyond all others; their use cases put events in order themselves."""

RETRY_AFTER_MS: Final = 2_000
QUERY_TTL_MS: Final = 5_000
DELIVERY_LIMIT: Final = 100
"""A backstop only: the broker counts lost connections too, so retries are counted in the envelope, by us."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as it is declared."""

    name: str
    type: Literal["direct", "topic", "fanout"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue as it is declared, with its bindings as (exchange, routing key)."""

    name: str
    arguments: dict[str, str | int]
    bindings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """The names of one stack. `expires_ms` makes unused queues vanish: for tests, never for production."""

    prefix: str = ""
    expires_ms: int = 0

    @property
    def commands(self) -> Exchange:
        """The exchange commands go to; the routing key is the service that obeys."""
        return Exchange(f"{self.prefix}offerhub.commands", "direct")

    @property
    def events(self) -> Exchange:
        """The exchange events go to; the routing key is their family."""
        return Exchange(f"{self.prefix}offerhub.events", "topic")

    @property
    def queries(self) -> Exchange:
        """The exchange queries go to; the routing key is the service that knows."""
        return Exchange(f"{self.prefix}offerhub.queries", "direct")

    @property
    def notices(self) -> Exchange:
        """The exchange of what every gateway is told; nothing is kept for one that is not there."""
        return Exchange(f"{self.prefix}offerhub.notices", "fanout")

    def command_queue(self, service: str) -> Queue:
        """Name the queue of a service's commands and of the answers it awaits."""
        return self._quorum(f"{service}.commands", ((self.commands.name, service),))

    def event_queue(self, service: str) -> Queue:
        """Name the queue of the events a service listens to."""
        return self._quorum(f"{service}.events", tuple((self.events.name, family) for family in LISTENS[service]))

    def backlog_queue(self, service: str) -> Queue:
        """Name the queue of the events that a service has set aside."""
        return self._quorum(f"{service}.backlog", ())

    def query_queue(self, service: str) -> Queue:
        """Name the queue of the questions a service answers."""
        arguments: dict[str, str | int] = {"x-queue-type": "classic", "x-message-ttl": QUERY_TTL_MS}
        return Queue(f"{self.prefix}{service}.queries", arguments | self._expiry, ((self.queries.name, service),))

    def retry_queue(self, service: str) -> Queue:
        """Name the queue where a message waits before it comes back to the service's commands."""
        arguments: dict[str, str | int] = {
            "x-queue-type": "quorum",
            "x-message-ttl": RETRY_AFTER_MS,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.command_queue(service).name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        return Queue(f"{self.prefix}{service}.retry", arguments | self._expiry)

    def dead_queue(self, service: str) -> Queue:
        """Name the queue where messages are parked with their reason until somebody redrives them."""
        arguments: dict[str, str | int] = {"x-queue-type": "quorum"}
        return Queue(f"{self.prefix}{service}.dead", arguments | self._expiry)

    def exchanges(self) -> tuple[Exchange, ...]:
        """List every exchange."""
        return self.commands, self.events, self.queries, self.notices

    def queues(self) -> tuple[Queue, ...]:
        """List every durable queue."""
        makers = (self.command_queue, self.query_queue, self.retry_queue, self.dead_queue)
        listening = tuple(self.event_queue(service) for service in SERVICES if LISTENS[service])
        backlogs = tuple(self.backlog_queue(service) for service in BACKLOGS)
        return tuple(make(service) for service in SERVICES for make in makers) + listening + backlogs

    def reply_queue(self, instance: str, nonce: str) -> str:
        """Name the exclusive queue of one connection of one asking process."""
        return f"{self.prefix}gateway.replies.{instance}.{nonce}"

    def notice_queue(self, instance: str, nonce: str) -> str:
        """Name the exclusive queue on which one connection of one gateway hears notices."""
        return f"{self.prefix}gateway.notices.{instance}.{nonce}"

    @property
    def _expiry(self) -> dict[str, str | int]:
        return {"x-expires": self.expires_ms} if self.expires_ms else {}

    def _quorum(self, name: str, bindings: tuple[tuple[str, str], ...]) -> Queue:
        service = name.split(".", 1)[0]
        arguments: dict[str, str | int] = {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{self.prefix}{service}.dead",
        }
        return Queue(f"{self.prefix}{name}", arguments | self._expiry, bindings)


def family(event_type: str) -> str:
    """Name the routing key of an event type such as `order.created`."""
    return FAMILY_OF[event_type.split(".", 1)[0]]


def names(prefix: str) -> tuple[list[str], list[str]]:
    """List the names of a stack's (queues, exchanges), for removing it."""
    topology = Topology(prefix)
    return [queue.name for queue in topology.queues()], [exchange.name for exchange in topology.exchanges()]

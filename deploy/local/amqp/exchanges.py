from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class ExchangeKind(StrEnum):
    DIRECT = "direct"
    FANOUT = "fanout"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """Everything a re-declaration must repeat."""

    kind: ExchangeKind
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False


class Exchange:
    """A name, its settings, and which queues are bound to it by which keys."""

    def __init__(self, name: str, settings: ExchangeSettings) -> None:
        self.name = name
        self.settings = settings
        self._queues_by_key: dict[str, dict[str, None]] = {}

    def bind(self, queue: str, key: str) -> None:
        self._queues_by_key.setdefault(key, {})[queue] = None

    def unbind(self, queue: str, key: str) -> bool:
        """Whether the binding existed."""
        queues = self._queues_by_key.get(key, {})
        if queue not in queues:
            return False
        del queues[queue]
        if not queues:
            del self._queues_by_key[key]
        return True

    def unbind_queue(self, queue: str) -> bool:
        """Takes a deleted queue's bindings off; whether there were any."""
        keys = [key for key, queues in self._queues_by_key.items() if queue in queues]
        for key in keys:
            self.unbind(queue, key)
        return bool(keys)

    @property
    def is_unbound(self) -> bool:
        return not self._queues_by_key

    def bindings(self) -> Iterator[tuple[str, str]]:
        """(queue, key) of every binding."""
        for key, queues in self._queues_by_key.items():
            for queue in queues:
                yield queue, key

    def route(self, key: str) -> list[str]:
        """Names of the queues a message with this routing key goes to, each once."""
        match self.settings.kind:
            case ExchangeKind.DIRECT:
                return list(self._queues_by_key.get(key, ()))
            case ExchangeKind.FANOUT:
                return list(dict.fromkeys(queue for queue, _ in self.bindings()))
            case ExchangeKind.TOPIC:
                words = _words(key)
                found: dict[str, None] = {}
                for pattern, queues in self._queues_by_key.items():
                    if topic_matches(_words(pattern), words):
                        found.update(queues)
                return list(found)


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """`*` is exactly one word, `#` is zero or more; O(len(pattern) * len(words)) however many `#` there are."""
    reachable = [True] + [False] * len(words)
    for part in pattern:
        if part == "#":
            for index in range(1, len(words) + 1):
                reachable[index] = reachable[index] or reachable[index - 1]
            continue
        for index in range(len(words), 0, -1):
            reachable[index] = reachable[index - 1] and part in {"*", words[index - 1]}
        reachable[0] = False
    return reachable[-1]

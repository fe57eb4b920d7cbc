from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from deploy.local.amqp.errors import NOT_IMPLEMENTED, PRECONDITION_FAILED, ChannelError


class QueueKind(StrEnum):
    CLASSIC = "classic"
    QUORUM = "quorum"


class Overflow(StrEnum):
    DROP_HEAD = "drop-head"
    REJECT_PUBLISH = "reject-publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """Everything a re-declaration must repeat; times are milliseconds."""

    durable: bool = False
    auto_delete: bool = False
    kind: QueueKind = QueueKind.CLASSIC
    message_ttl: int | None = None
    expires: int | None = None
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    delivery_limit: int | None = None
    max_length: int | None = None
    overflow: Overflow = Overflow.DROP_HEAD


ARGUMENT_FIELDS = {
    "x-queue-type": "kind",
    "x-message-ttl": "message_ttl",
    "x-expires": "expires",
    "x-dead-letter-exchange": "dead_letter_exchange",
    "x-dead-letter-routing-key": "dead_letter_routing_key",
    "x-delivery-limit": "delivery_limit",
    "x-max-length": "max_length",
    "x-overflow": "overflow",
}
ACCEPTED_WITHOUT_EFFECT = frozenset(
    {
        "x-dead-letter-strategy",  # publishing and dead-lettering are one step in one memory: always at-least-once
        "x-queue-mode",
        "x-queue-version",
        "x-queue-master-locator",
        "x-queue-leader-locator",
        "x-quorum-initial-group-size",
    }
)

_NAMES_OF_FIELDS = {field: argument for argument, field in ARGUMENT_FIELDS.items()}
_LIMIT_MAX = 2**32 - 1


def parse(*, durable: bool, auto_delete: bool, exclusive: bool, arguments: Mapping[str, Any]) -> QueueSettings:
    """Settings of a queue.declare.

    Raises:
        ChannelError: 406 for a value RabbitMQ refuses, 540 for an argument this broker does not have.
    """
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in ARGUMENT_FIELDS:
            values[ARGUMENT_FIELDS[name]] = _checked(name, value)
        elif name.startswith("x-") and name not in ACCEPTED_WITHOUT_EFFECT:
            raise ChannelError(NOT_IMPLEMENTED, f"queue argument '{name}' is not supported by the embedded broker")
    settings = QueueSettings(durable=durable, auto_delete=auto_delete, **values)
    _check_combination(settings, exclusive=exclusive)
    return settings


def _checked(name: str, value: object) -> object:
    if name == "x-queue-type":
        return _member(QueueKind, name, value)
    if name == "x-overflow":
        return _member(Overflow, name, value)
    if name.startswith("x-dead-letter"):
        if not isinstance(value, str):
            raise _invalid(name, value)
        return value
    lowest = 1 if name == "x-expires" else 0
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= _LIMIT_MAX:
        raise _invalid(name, value)
    return value


def _member(kind: type[StrEnum], name: str, value: object) -> StrEnum:
    if value in {"stream", "reject-publish-dlx"}:
        raise ChannelError(NOT_IMPLEMENTED, f"'{name}' = '{value}' is not supported by the embedded broker")
    try:
        return kind(str(value))
    except ValueError:
        raise _invalid(name, value) from None


def _invalid(name: str, value: object) -> ChannelError:
    return ChannelError(PRECONDITION_FAILED, f"invalid arg '{name}': {value!r}")


def _check_combination(settings: QueueSettings, *, exclusive: bool) -> None:
    if settings.dead_letter_routing_key is not None and settings.dead_letter_exchange is None:
        raise ChannelError(PRECONDITION_FAILED, "invalid arg 'x-dead-letter-routing-key': needs 'x-dead-letter-exchange'")
    if settings.kind is QueueKind.CLASSIC:
        if settings.delivery_limit is not None:
            raise ChannelError(PRECONDITION_FAILED, "invalid arg 'x-delivery-limit' for a classic queue")
    elif not settings.durable or exclusive or settings.auto_delete:
        raise ChannelError(PRECONDITION_FAILED, "a quorum queue is durable, not exclusive and not auto-delete")


def check_same(kind: str, name: str, current: object, received: object) -> None:
    """Raises ChannelError 406 naming the first field in which two settings of the same dataclass differ."""
    for field in fields(current):  # type: ignore[arg-type] # callers pass two instances of one dataclass
        have, want = getattr(current, field.name), getattr(received, field.name)
        if have != want:
            argument = _NAMES_OF_FIELDS.get(field.name, field.name)
            raise ChannelError(
                PRECONDITION_FAILED,
                f"inequivalent arg '{argument}' for {kind} '{name}': received '{want}' but current is '{have}'",
            )

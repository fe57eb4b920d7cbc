"""The three ways things go wrong: the rules say no (a value), the world says not now, or we are wrong."""

from dataclasses import dataclass, field
from typing import Any


class TransientError(Exception):
    """The world said not now: the same step may succeed when it is tried again with backoff."""


class InvariantViolationError(Exception):
    """We are wrong: stop this piece of work, park it with its reason and call a person."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rules said no. `code` is a member of the public error catalogue, `details` is JSON-ready."""

    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


def invalid(field: str, message: str) -> Refusal:
    """Refuse a value, naming its field."""
    return Refusal("VALIDATION_ERROR", message, {"fields": [{"field": field, "message": message}]})


def check(fact: bool, complaint: str) -> None:  # noqa: FBT001 - reads as a sentence: check(a == b, "a differs from b")
    """Assert an invariant; unlike `assert` it survives `python -O`.

    Raises:
        InvariantViolationError: the fact does not hold.
    """
    if not fact:
        raise InvariantViolationError(complaint)

"""What a write use case is: a command, the rows it needs, and a pure decision about them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from libs.common.kernel.errors import Refusal
from libs.common.kernel.ids import Tenant
from libs.common.persistence.rows import Key, Row, Table
from libs.common.persistence.state import Needs, State

M_contra = TypeVar("M_contra", contravariant=True)


class Context(msgspec.Struct, frozen=True, gc=False):
    """What a decision may know beside its rows and its command."""

    tenant: Tenant
    message_id: str
    reference: str
    """The note that came with the message: on an answer, what the asker wrote on its question."""
    now: datetime
    batch_id: str
    """The write transaction it is decided in."""
    new_id: Callable[[str], str]


class Announce(msgspec.Struct, frozen=True, gc=False):
    """An event to publish: `sequence` is the next number of its aggregate."""

    type: str
    aggregate: str
    sequence: int
    data: msgspec.Struct
    user_ids: tuple[str, ...] = ()


class Send(msgspec.Struct, frozen=True, gc=False):
    """A command to another service, whose answer comes back to our own command queue with the `reference`."""

    service: str
    message_id: str
    message: msgspec.Struct
    reference: str = ""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The answer to an earlier message that was left pending."""

    message_id: str
    outcome: msgspec.Struct | Refusal
    before: msgspec.Struct | None = None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a use case decided. `reply` is None while the answer is still pending, or when nobody asks."""

    reply: msgspec.Struct | Refusal | None = None
    rows: tuple[tuple[Table[Any], msgspec.Struct], ...] = ()
    events: tuple[Announce, ...] = ()
    commands: tuple[Send, ...] = ()
    answers: tuple[Answer, ...] = ()
    removed: tuple[tuple[Table[Any], Key], ...] = ()
    """Rows to delete, by primary key; each was loaded, or put by a decision of the same batch."""
    before: msgspec.Struct | None = None
    """What the reply's resource looked like before, for the gateway's audit log; None for what is new."""


def refuse(code: str, message: str, **details: Any) -> Decision:  # noqa: ANN401 - details are JSON of any shape
    """Say no: nothing changes, and the caller hears why."""
    return Decision(reply=Refusal(code, message, details))


def row(table: Table[Row], changed: Row) -> tuple[Table[Any], msgspec.Struct]:
    """Pair a row with its table, checked by type."""
    return table, changed


class UseCase(Protocol[M_contra]):
    """A module with these two functions; the body's class is known by the envelope's type."""

    def needs(self, message: M_contra, context: Context) -> Needs:
        """Name the rows that the decision must see."""
        ...

    def decide(self, state: State, message: M_contra, context: Context) -> Decision:
        """Decide, purely: no clock, no I/O, no change of `state`."""
        ...

"""What every list answers with."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list; `next_cursor` is the id of its last item when there is more."""

    data: tuple[T, ...]
    has_more: bool = False
    next_cursor: str | None = None


class Pong(msgspec.Struct, frozen=True):
    """Everything is as it should be."""


class Done(msgspec.Struct, frozen=True):
    """It is done and there is nothing more to say."""

    id: str

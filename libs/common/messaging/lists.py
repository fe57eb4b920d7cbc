"""What every list does with what it is asked, and with what it found."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

import msgspec

from libs.common.contracts.envelope import raw
from libs.common.contracts.replies.common import Page
from libs.common.kernel.clock import read_instant
from libs.common.kernel.errors import Refusal, invalid
from libs.common.persistence.pages import Bounds

LIMIT_MAX: Final = 100
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A page of items that are large ends early: an answer is one message on the bus, and brokers refuse those of 16 MiB."""


class Paged(Protocol):
    """What every list is asked with; those sorted by time also with `created_after` and `created_before`."""

    @property
    def limit(self) -> int:
        """How many items there may be."""
        ...

    @property
    def cursor(self) -> str | None:
        """The id of the item before."""
        ...


def read_bounds(query: Paged, **choices: Iterable[str]) -> Bounds | Refusal:
    """Read which part of a list is asked for.

    Refuses a page of no size, an instant that is none, or a filter (by name) whose value is none of its choices.
    """
    if not 1 <= query.limit <= LIMIT_MAX:
        return invalid("limit", f"limit is 1 to {LIMIT_MAX}")
    for field, values in choices.items():
        value, allowed = getattr(query, field), tuple(values)
        if value is not None and value not in allowed:
            return invalid(field, f"{field} is one of {', '.join(allowed)}")
    instants: list[datetime | None] = []
    for field in ("created_after", "created_before"):
        try:
            instants.append(read_instant(getattr(query, field, None)))
        except ValueError:
            return invalid(field, f"{field} is an ISO 8601 date or date and time")
    return Bounds(query.limit, query.cursor, *instants)


def page_of(items: Iterable[tuple[str, msgspec.Struct]], *, limit: int) -> Page[msgspec.Raw]:
    """Make a page of (cursor, item), of which one more was read than fit; it ends before an item that would make it too long."""
    shown: list[msgspec.Raw] = []
    cursor: str | None = None
    size = 0
    for name, item in items:
        body = raw(item)
        size += len(bytes(body))
        if len(shown) == limit or (shown and size > PAGE_BYTES_MAX):
            return Page(tuple(shown), has_more=True, next_cursor=cursor)
        shown.append(body)
        cursor = name
    return Page(tuple(shown))


def unknown_cursor() -> Refusal:
    """Refuse a cursor that names nothing in the list; whether somebody else has such a thing is not told."""
    return invalid("cursor", "no such item in this list")

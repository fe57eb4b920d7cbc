"""What every list of escrow checks before it looks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol, TypeVar

import msgspec

from libs.common.contracts.replies.common import Page
from libs.common.kernel.errors import Refusal
from services.escrow.domain.rules import invalid

LIMIT_MAX: Final = 100
Shown = TypeVar("Shown", bound=msgspec.Struct)


class Listing(Protocol):
    """The fields that every list is asked with."""

    @property
    def limit(self) -> int:
        """How long the page may be."""
        ...

    @property
    def status(self) -> str | None:
        """The status to show, or None for all."""
        ...

    @property
    def created_after(self) -> str | None:
        """ISO 8601, inclusive."""
        ...

    @property
    def created_before(self) -> str | None:
        """ISO 8601, exclusive."""
        ...


def check_listing(query: Listing, statuses: type[StrEnum]) -> Refusal | None:
    """Refuse a page of no size, a status that does not exist, or an instant that is none."""
    if not 1 <= query.limit <= LIMIT_MAX:
        return invalid("limit", f"limit is 1 to {LIMIT_MAX}")
    if query.status is not None and query.status not in set(statuses):
        return invalid("status", f"status is one of {', '.join(statuses)}")
    for field in ("created_after", "created_before"):
        try:
            instant(getattr(query, field))
        except ValueError:
            return invalid(field, f"{field} is an ISO 8601 date or date and time")
    return None


def instant(text: str | None) -> datetime | None:
    """Read an ISO 8601 date or instant; one that names no zone is UTC.

    Raises:
        ValueError: it is neither.
    """
    if text is None:
        return None
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def page_of(shown: Iterable[Shown], *, limit: int, ids: Iterable[str]) -> Page[Shown]:
    """Cut a list that was read one item too long; its last id leads to the next page."""
    found, names = tuple(shown), tuple(ids)
    more = len(found) > limit
    return Page(found[:limit], has_more=more, next_cursor=names[limit - 1] if more else None)

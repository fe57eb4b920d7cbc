"""Pages of records: which part of an ordered list is asked for, and how it is handed out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from yarl import URL

from deploy.sandbox.horizon.chain.values import total_order
from deploy.sandbox.horizon.history.reads import Window
from deploy.sandbox.horizon.ledger.header import GENESIS
from deploy.sandbox.horizon.resources.problems import bad_request, before_history
from deploy.sandbox.horizon.resources.transactions import Body

LIMIT: Final = 10
LIMIT_MAX: Final = 200
_AFTER_LEDGER: Final = 0xFFFF_FFFF
_PLACE_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What is asked for; the cursor is as it was given, except that `now` has become a place."""

    cursor: str
    limit: int
    is_ascending: bool

    def window(self, as_of: int) -> Window:
        """Return the rows it is about.

        Raises:
            Problem: the cursor is no number, or going back from it there is nothing.
        """
        return Window(self.place(), self.limit, is_ascending=self.is_ascending, as_of=as_of)

    def place(self) -> int | None:
        """Return the cursor's number, without the part behind a dash."""
        if not self.cursor:
            return None
        number = self.cursor.partition("-")[0] if not self.cursor.startswith("-") else self.cursor
        if not number.isdecimal() or int(number) >= 1 << 63:
            raise bad_request("cursor", "cursor: invalid value")
        if not self.is_ascending and int(number) <= total_order(GENESIS):
            raise before_history()
        return int(number)

    def part(self) -> int:
        """Return the part of the cursor behind a dash; without one a cursor is behind everything of its number."""
        behind = self.cursor.partition("-")[2]
        if behind and not behind.isdecimal():
            raise bad_request("cursor", "cursor: invalid value")
        return int(behind) if behind else _PLACE_MAX


def page_query(request: web.Request, latest: int) -> PageQuery:
    """Read cursor, order and limit; an event stream that was cut off goes on from its Last-Event-ID.

    Raises:
        Problem: one of them is not what it may be.
    """
    cursor = request.query.get("cursor", "")
    if cursor == "now":
        cursor = str(total_order(latest) | _AFTER_LEDGER)
    cursor = request.headers.get("Last-Event-ID") or cursor
    if cursor.startswith("-"):
        raise bad_request("cursor", f"the cursor {cursor} is a negative number: ")
    order = request.query.get("order", "") or "asc"
    if order not in {"asc", "desc"}:
        raise bad_request("order", "order: invalid value")
    return PageQuery(cursor, _limit(request.query.get("limit", "")), is_ascending=order == "asc")


def _limit(text: str) -> int:
    if not text:
        return LIMIT
    if not text.removeprefix("-").isdecimal():
        raise bad_request("limit", "unparseable value")
    if int(text) <= 0:
        raise bad_request("limit", "invalid limit: non-positive value provided")
    if int(text) > LIMIT_MAX:
        raise bad_request("limit", f"invalid limit: value provided that is over limit max of {LIMIT_MAX}")
    return int(text)


def page(request: web.Request, query: PageQuery, records: Sequence[Body]) -> dict[str, Any]:
    """Hand records out with links to go on and back."""
    order, inverse = ("asc", "desc") if query.is_ascending else ("desc", "asc")
    here = URL(base_of(request)).with_path(request.path).with_query(request.query)
    first = str(records[0]["paging_token"]) if records else query.cursor
    last = str(records[-1]["paging_token"]) if records else query.cursor
    links = {
        "self": _link(here, query.cursor, query.limit, order),
        "next": _link(here, last, query.limit, order),
        "prev": _link(here, first, query.limit, inverse),
    }
    return {"_links": links, "_embedded": {"records": list(records)}}


def _link(url: URL, cursor: str, limit: int, order: str) -> dict[str, str]:
    return {"href": str(url.update_query({"cursor": cursor, "limit": str(limit), "order": order}))}


def base_of(request: web.Request) -> str:
    """Return what links begin with: the address the caller used."""
    return f"{request.scheme}://{request.host}"

"""The event log: read in pages, or streamed as it grows."""

from typing import Annotated, Final

from fastapi import Query

from libs.common.contracts.event_filters import ALL
from libs.common.contracts.queries.webhooks import GetEvent, ListEvents
from libs.common.contracts.replies.webhooks import LoggedEvent
from libs.common.kernel.ids import new_id
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import invalid
from services.gateway.domain.streams import SHOWN, Wish
from services.gateway.entrypoints.http.calls import Call, Calling
from services.gateway.entrypoints.http.fields import EventNames, Fields, Flag, Id, Instant, Limit, Position
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.entrypoints.http.values import read_position
from services.gateway.handlers.stream import Asked
from services.gateway.handlers.streams import Start
from services.gateway.store.leases import Lease

_PAGED: Final = frozenset({"limit", "after"})
_BOTH: Final = frozenset({"events"})
_HEADERS: Final = (("x-accel-buffering", "no"),)


class EventQuery(Fields):
    """Which part of the log, and what of it."""

    limit: Limit = 20
    """How many items a page has. Not for a stream."""
    after: Position = 0
    """The position of the last event you have; `next_cursor` of the page before. Not for a stream."""
    cursor: Position | None = None
    """For a stream: go on after this position. A `Last-Event-ID` header goes before it."""
    since: Instant | None = None
    """For a stream: begin with what was logged since then, instead of now."""
    events: EventNames | None = None
    """Names of events, `family.*` or `*`, separated by commas."""
    user_id: Id | None = None
    """For a stream: only events that concern this user."""
    takeover: Flag = False
    """For a stream: end the one that is open, instead of being refused."""


async def list_events(call: Calling, query: Annotated[EventQuery, Query()]) -> Answer:
    """Read the event log.

    Every event of your marketplace, oldest first, after a position. Nothing is left out and nothing comes twice:
    positions count 1, 2, 3 … A page of some `events` looks at the next 2,000 of all; it may show few of them, or none, and still
    have a `next_cursor`. Events are kept for thirty days, or as the operator says; a position from before that is 400, and 0
    begins with the oldest.

    With `Accept: text/event-stream` it is a stream of Server-Sent Events that goes on as events happen: `id` is the position,
    `event` the type, `data` what a webhook delivery would carry. A client that comes back with the last id, as `Last-Event-ID` or
    `cursor`, misses nothing. A `ping` comes every 15 seconds; `reset` says that what came after your position is not
    kept any more. A key has one stream, and one for each `user_id` it asks for.
    """
    streams = "text/event-stream" in call.accept.lower()
    misplaced = (query.model_fields_set & _PAGED) if streams else (query.model_fields_set - _PAGED - _BOTH)
    if misplaced:
        hint = "not for a stream: it has no pages" if streams else "only for a stream: send Accept: text/event-stream"
        raise invalid(min(misplaced), hint)
    came_to = _came_to(call)
    if not streams:
        return await call.ask_page("webhooks", ListEvents(query.limit, query.after, query.events))
    asked = Asked(
        lease=Lease(call.tenant, call.principal.key_id, query.user_id or "", new_id("req")),
        wish=Wish(query.events or (ALL,), query.user_id or ""),
    )
    flow = await call.use_cases.streams.open(asked, _start(query, came_to), takeover=query.takeover)
    return Answer(200, b"", content_type="text/event-stream", headers=_HEADERS, flow=flow)


async def get_event(call: Calling, event_id: str) -> Answer:
    """Get an event.

    As it stands in the log: what a webhook delivery carried, and its position.
    """
    return await call.ask("webhooks", GetEvent(event_id))


def _came_to(call: Call) -> int | None:
    """Read how far a client that comes back came; empty is what it sends that came nowhere."""
    if not call.last_event_id:
        return None
    try:
        return read_position(call.last_event_id)
    except ValueError as error:
        raise invalid("Last-Event-ID", str(error)) from None


def _start(query: EventQuery, came_to: int | None) -> Start:
    if query.cursor is not None and query.since is not None:
        raise invalid("since", "give a cursor or an instant, not both")
    if came_to is not None:
        return Start(after=came_to, named="Last-Event-ID")
    return Start(after=query.cursor, since=query.since)


OPERATIONS = (
    Operation("GET", "/events", list_events, Scope.READ, LoggedEvent, is_list=True, stream=SHOWN),
    Operation("GET", "/events/{event_id}", get_event, Scope.READ, LoggedEvent),
)

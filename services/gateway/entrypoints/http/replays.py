"""Replays: a part of the event log delivered to a webhook endpoint again."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.webhooks import StartReplay, SteerReplay
from libs.common.contracts.queries.webhooks import FindPosition, GetReplay, ListReplays
from libs.common.contracts.replies.webhooks import LogPlace, Replay, ReplayOnly, ReplayProgress
from libs.common.kernel.ids import sibling_id
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.errors import invalid
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Call, Calling
from services.gateway.entrypoints.http.fields import WHOLE, EventList, Fields, Instant, PageQuery, example
from services.gateway.entrypoints.http.routing import Operation

_place: Final = msgspec.json.Decoder(LogPlace)
LogPosition = Annotated[int, Field(ge=1, le=10**18 - 1), WHOLE]


def _not_both(position: str, instant: str) -> dict[str, Any]:
    kinds = {position: {"type": "integer"}, instant: {"type": "string"}}
    return {"not": {"required": [position, instant], "properties": kinds}}


class NewReplay(Fields):
    """Which part of the log, what of it, and how fast."""

    model_config = example(
        {"allOf": [_not_both("from_position", "created_after"), _not_both("to_position", "created_before")]},
        created_after="2026-02-10T14:00:00Z",
        only="undelivered",
        per_second=50,
    )

    from_position: LogPosition | None = None
    """The first position; without it and `created_after` the log's beginning."""
    to_position: LogPosition | None = None
    """The last position; without it and `created_before` the log's end as it is now."""
    created_after: Instant | None = None
    """Begin with what was logged since then."""
    created_before: Instant | None = None
    """End with what was logged before then."""
    events: EventList | None = None
    """Names of events, `family.*` or `*`; without it what the endpoint subscribes to."""
    only: ReplayOnly = "all"
    """`failed`: what was given up and has not arrived since. `undelivered`: what has neither arrived nor is on its way."""
    per_second: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 100
    """Deliveries made each second at most."""


async def create_replay(call: Calling, webhook_id: str, body: Annotated[NewReplay, Body()]) -> Answer:
    """Replay events to an endpoint.

    Every event of a part of the log that the filters leave goes to the endpoint once more, as a delivery of its own with the
    `webhook-id` it always had. What happens meanwhile goes first. An endpoint has one replay under way at a time; it goes on by
    itself, whatever is restarted, until all of it has been delivered or given up.
    """
    _check(body)

    async def run(command_id: str) -> Answer:
        first = body.from_position or 1
        if body.created_after is not None:
            first = await _after(call, body.created_after) + 1
        last = body.to_position
        if body.created_before is not None:
            last = await _after(call, body.created_before)
        events = None if body.events is None else tuple(body.events)
        command = StartReplay(sibling_id("rpl", command_id), webhook_id, first, last, events, body.only, body.per_second)
        reply = await call.use_cases.services.command("webhooks", command, tenant=call.tenant, command_id=command_id)
        return resource(reply.result, status=call.success, before=reply.before)

    return await call.once(run, window=DAY, service="webhooks")


def _check(body: NewReplay) -> None:
    if body.from_position is not None and body.created_after is not None:
        raise invalid("created_after", "give a position or an instant to begin with, not both")
    if body.to_position is not None and body.created_before is not None:
        raise invalid("created_before", "give a position or an instant to end with, not both")
    if body.from_position is not None and body.to_position is not None and body.from_position > body.to_position:
        raise invalid("to_position", "must not come before from_position")
    if body.created_after is not None and body.created_before is not None and body.created_after >= body.created_before:
        raise invalid("created_before", "must come after created_after")


async def _after(call: Call, instant: str) -> int:
    """Return the position after which everything was logged since then."""
    place = await call.use_cases.services.query("webhooks", FindPosition(instant), tenant=call.tenant)
    return _place.decode(place).after


async def list_replays(call: Calling, webhook_id: str, query: Annotated[PageQuery, Query()]) -> Answer:
    """List an endpoint's replays.

    Newest first, the last fifty; what became of the deliveries of one is told when you get it.
    """
    return await call.ask_page("webhooks", ListReplays(webhook_id, query.limit, query.cursor))


async def get_replay(call: Calling, webhook_id: str, replay_id: str) -> Answer:
    """Get a replay and how far it has come.

    How much of the log it has looked at, what became of the deliveries it made, and how many are still to come.
    """
    return await call.ask("webhooks", GetReplay(webhook_id, replay_id))


async def pause_replay(call: Calling, webhook_id: str, replay_id: str) -> Answer:
    """Pause a replay.

    It makes no more deliveries until it is resumed; up to a hundred that are made already still go out.
    """
    return await call.submit("webhooks", lambda _: SteerReplay(webhook_id, replay_id, "pause"))


async def resume_replay(call: Calling, webhook_id: str, replay_id: str) -> Answer:
    """Resume a replay that is paused.

    It goes on where it was.
    """
    return await call.submit("webhooks", lambda _: SteerReplay(webhook_id, replay_id, "resume"))


async def cancel_replay(call: Calling, webhook_id: str, replay_id: str) -> Answer:
    """Cancel a replay for good.

    What it has not sent yet is not sent; what was sent stays sent.
    """
    return await call.submit("webhooks", lambda _: SteerReplay(webhook_id, replay_id, "cancel"))


_ALL: Final = "/webhooks/{webhook_id}/replays"
_ONE: Final = f"{_ALL}/{{replay_id}}"
_REFUSED: Final = ("INVALID_STATE",)
OPERATIONS = (
    Operation("POST", _ALL, create_replay, Scope.WRITE, Replay, status=201, codes=_REFUSED),
    Operation("GET", _ALL, list_replays, Scope.READ, Replay, is_list=True),
    Operation("GET", _ONE, get_replay, Scope.READ, ReplayProgress),
    Operation("POST", f"{_ONE}/pause", pause_replay, Scope.WRITE, Replay, codes=_REFUSED),
    Operation("POST", f"{_ONE}/resume", resume_replay, Scope.WRITE, Replay, codes=_REFUSED),
    Operation("POST", f"{_ONE}/cancel", cancel_replay, Scope.WRITE, Replay, codes=_REFUSED),
)

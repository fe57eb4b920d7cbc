"""The operator's own: maintenance."""

from typing import Annotated

import msgspec
from fastapi import Body

from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.examples_of_ours import NO_MAINTENANCE
from services.gateway.entrypoints.http.fields import Fields, Note, example
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.maintenance import Maintenance


class Pause(Fields):
    """What callers are told whose writes have to wait."""

    model_config = example(message="Back at 14:00 UTC")

    message: Note | None = None


async def get_maintenance(call: Calling) -> Answer:
    """Tell whether writes are paused.

    Since when, by whom, and what callers are told.
    """
    return _shown(call.use_cases.maintenance.state())


async def enable_maintenance(call: Calling, body: Annotated[Pause, Body()]) -> Answer:
    """Pause writes.

    Everywhere within a second: writes answer 503 with your message, reads and the operator's work go on.
    """

    async def run(_: str) -> Answer:
        before = call.use_cases.maintenance.state()
        return _shown(await call.use_cases.maintenance.enable(message=body.message, by=call.principal.key_id), before)

    return await call.once(run, window=DAY)


async def disable_maintenance(call: Calling) -> Answer:
    """Let writes pass again.

    Everywhere within a second.
    """

    async def run(_: str) -> Answer:
        before = call.use_cases.maintenance.state()
        return _shown(await call.use_cases.maintenance.disable(), before)

    return await call.once(run, window=DAY)


def _shown(state: Maintenance, before: Maintenance | None = None) -> Answer:
    return resource(msgspec.json.encode(state), before=None if before is None else msgspec.json.encode(before))


# A support key rules over one marketplace, and a pause stops them all: only the master key may switch.
OPERATIONS = (
    Operation("GET", "/admin/maintenance", get_maintenance, Scope.SUPPORT, Maintenance),
    Operation("POST", "/admin/maintenance/enable", enable_maintenance, Scope.MASTER, Maintenance, in_maintenance=True),
    Operation(
        "POST", "/admin/maintenance/disable", disable_maintenance, Scope.MASTER, Maintenance,
        shown=NO_MAINTENANCE, in_maintenance=True,
    ),
)  # fmt: skip

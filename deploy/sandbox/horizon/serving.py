"""What every endpoint shares: the chain it asks, what goes wrong with its request, and how it answers."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from deploy.sandbox.horizon.faults.rules import Fault, Live, Rulebook, distort
from deploy.sandbox.horizon.node import Node, View
from deploy.sandbox.horizon.resources.transactions import Body

NODE: Final = web.AppKey("node", Node)
RULES: Final = web.AppKey("rules", Rulebook)
FIRED: Final[web.RequestKey[list[Live]]] = web.RequestKey("fired", list)
LATEST_LEDGER: Final = "Latest-Ledger"


def fired(request: web.Request) -> Sequence[Live]:
    """Return the rules that fired for a request."""
    lives: list[Live] | None = request.get(FIRED)
    return lives or []


def lag_of(request: web.Request) -> int:
    """Return by how many ledgers a request's reader lags."""
    return sum(live.lag for live in fired(request) if live.rule.fault is Fault.LAG)


def view_of(request: web.Request) -> View:
    """Return what a request sees of the chain."""
    return request.app[NODE].view(lag_of(request))


def wants_stream(request: web.Request) -> bool:
    """Tell whether the caller wants events instead of a page."""
    return "text/event-stream" in request.headers.get("Accept", "")


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:  # noqa: ANN401 - any JSON
    """Answer with a resource."""
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/hal+json", charset="utf-8", headers=headers
    )


def resource(request: web.Request, body: Body, *, view: View | None = None) -> web.Response:
    """Answer with one resource, patched if a rule says so; `view` dates it, as Horizon does for entries of the ledger."""
    patches = [live for live in fired(request) if live.rule.fault is Fault.PATCH]
    shown = distort([body], patches)[0]
    return answer(shown, headers=None if view is None else {LATEST_LEDGER: str(view.ledger)})

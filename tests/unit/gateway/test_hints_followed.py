"""A caller that follows the hints of errors mechanically gets there: wrong names, values, paths, methods and states.

Each slip is made, the error is read as a program would read it, what it suggests is done, and that has to be right.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from libs.common.contracts.commands.escrow import ReleaseOrder
from libs.common.kernel.errors import Refusal
from services.escrow.domain.orders import Order
from services.escrow.domain.rules import all_completed, guard, guard_dispute, not_disputed
from services.escrow.domain.states import DISPUTE, ORDER, DisputeAction, DisputeStatus, OrderAction, OrderStatus
from services.gateway.domain.answers import failure
from services.gateway.domain.errors import ApiError
from services.gateway.domain.next_calls import CALLS
from services.gateway.entrypoints.http.fields import Fields, Nothing, example_of, read_fields
from services.gateway.entrypoints.http.routing import PREFIX, ApiRoute
from services.gateway.entrypoints.http.unrouted import unrouted
from tests.support.api_document import routes
from tests.support.orders import ORDER_ID, TWO_PARTS, desk_at

ROUTES = [route for route in routes() if route.operation.reply is not None]
BODIES = sorted({route.body for route in ROUTES if route.body is not Nothing}, key=lambda body: body.__name__)
HELPED_AT_LEAST = 0.9


class Slip(NamedTuple):
    """A document with one mistake in it, and where."""

    model: type[Fields]
    document: dict[str, Any]
    field: str

    def __str__(self) -> str:
        return f"{self.model.__name__} {self.field}={self.document.get(self.field)!r}"


def slips_of_name(name: str) -> Iterator[str]:
    yield from (name[:-1], name.replace("_", "-"), name.capitalize(), name.upper(), f"{name}s", name[0] + name[2:])


def wrong_names() -> Iterator[Slip]:
    for model in BODIES:
        document = example_of(model)
        for name in document:
            for slip in slips_of_name(name):
                if slip not in model.names() and len(slip) > 1:
                    yield Slip(model, {slip if key == name else key: value for key, value in document.items()}, slip)


def wrong_values() -> Iterator[Slip]:
    for model in BODIES:
        document = example_of(model)
        for name, field in model.model_json_schema()["properties"].items():
            options: list[str] = field.get("enum") or next(
                (part["enum"] for part in field.get("anyOf", ()) if "enum" in part), []
            )
            for value in options:
                for slip in (value.lower(), value[:-1], value.title(), value.replace("_", " ")):
                    if slip not in options:
                        yield Slip(model, document | {name: slip}, name)


def mended(slip: Slip) -> dict[str, Any] | None:
    """Do what the error says, without thinking; None when there was no error."""
    try:
        read_fields(slip.model, slip.document)
    except ApiError as error:
        document = dict(slip.document)
        for problem in error.details["fields"]:
            meant = re.search(r"did you mean (.+)\?$", problem["message"])
            if meant is None:
                continue
            if "allowed" in problem:
                assert meant[1] in problem["allowed"]
                document[problem["field"]] = meant[1]
            else:
                document[meant[1]] = document.pop(problem["field"])
        return document
    return None


def check_mostly_mended(slips: list[Slip]) -> None:
    tried = [(slip, mended(slip)) for slip in slips]
    wrong = [(slip, document) for slip, document in tried if document is not None]
    assert len(wrong) > 50
    lost = [str(slip) for slip, document in wrong if not is_good(slip.model, document)]
    assert 1 - len(lost) / len(wrong) >= HELPED_AT_LEAST, lost


def is_good(model: type[Fields], document: dict[str, Any] | None) -> bool:
    try:
        read_fields(model, document or {})
    except ApiError:
        return False
    return True


def test_slips_in_the_names_of_fields_are_mended_by_their_hints() -> None:
    check_mostly_mended(list(wrong_names()))


def test_slips_in_values_that_are_listed_are_mended_by_their_hints() -> None:
    check_mostly_mended(list(wrong_values()))


def wrong_paths() -> Iterator[tuple[str, str]]:
    for path in {re.sub(r"{.+?}", "x_1", route.path) for route in ROUTES}:
        rest = path.removeprefix(PREFIX)
        resource, _, tail = rest[1:].partition("/")
        tail = f"/{tail}" if tail else ""
        yield from ((rest, path), (f"{path}/", path), (f"{PREFIX}/{resource.title()}{tail}", path))
        if resource.endswith("s"):
            yield f"{PREFIX}/{resource[:-1]}{tail}", path


def test_slips_in_paths_are_mended_by_their_hints() -> None:
    slips = list(wrong_paths())
    assert len(slips) > 100
    good = [unrouted(ROUTES, _asked("GET", wrong)).details.get("did_you_mean") == right for wrong, right in slips]
    assert sum(good) / len(good) >= HELPED_AT_LEAST


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.operation_id))
def test_a_wrong_method_is_answered_with_the_right_ones(route: ApiRoute) -> None:
    path = re.sub(r"{.+?}", "x_1", route.path)
    for method in ("TRACE", "PUT"):
        error = unrouted(ROUTES, _asked(method, path))
        assert route.operation.method in error.details["allowed_methods"]


def _asked(method: str, path: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": ""}


def an_order(status: OrderStatus) -> Order:
    """An order that has come to this status step by step."""
    if status != OrderStatus.CLOSED:
        return desk_at(str(status)).order
    desk = desk_at("IN_PROGRESS")
    desk.settled(ReleaseOrder(ORDER_ID))
    assert desk.order.status == status
    return desk.order


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("action", OrderAction)
def test_a_step_that_an_order_does_not_allow_is_answered_with_those_it_does(status: OrderStatus, action: OrderAction) -> None:
    order = an_order(status)
    refusal = not_disputed(order) or guard(order, action)
    if ORDER.after(status, action) is not None and status != OrderStatus.DISPUTED:
        assert refusal is None
        return
    assert refusal is not None
    calls = next_calls_of(refusal)
    legal = {CALLS[other].split("{", 1)[0] for other in OrderAction if ORDER.after(status, other) is not None}
    assert bool(calls) is bool(legal)
    assert {call.split("/", 4)[3] for call in calls} <= {"orders", "disputes"}
    assert all(any(call.startswith(start) for start in legal) for call in calls)


def test_a_release_that_is_too_early_names_the_milestones_to_complete() -> None:
    refusal = all_completed(desk_at("IN_PROGRESS", milestones=TWO_PARTS).order)
    assert refusal is not None
    assert [call.rpartition("/milestones/")[2] for call in next_calls_of(refusal)[:2]] == ["m1/complete", "m2/complete"]


@pytest.mark.parametrize("action", DisputeAction)
def test_a_dispute_that_is_resolved_has_no_next_call(action: DisputeAction) -> None:
    refusal = guard_dispute(an_order(OrderStatus.CLOSED), DisputeStatus.RESOLVED, action)
    assert refusal is not None
    assert next_calls_of(refusal) == []
    assert DISPUTE.possible(DisputeStatus.RESOLVED) == []


def next_calls_of(refusal: Refusal) -> list[str]:
    """The calls that a client reads in the answer."""
    body = failure(refusal.code, refusal.message, refusal.details, request_id="req_1", docs="/x").body
    found: list[str] = msgspec.json.decode(body)["error"]["details"]["next_calls"]
    return found

"""Errors that correct the caller: what was probably meant, what is allowed, what can be called instead."""

from typing import Any

import pytest

from services.escrow.domain.states import DISPUTE, ORDER, DisputeAction, OrderAction
from services.gateway.app import build_api
from services.gateway.domain.errors import ApiError
from services.gateway.domain.next_calls import CALLS, next_calls
from services.gateway.entrypoints.http.escrow import NewEscrow
from services.gateway.entrypoints.http.fields import Fields, read_fields
from services.gateway.entrypoints.http.html import wants_html
from services.gateway.entrypoints.http.orders import NewOrder, OrderQuery
from services.gateway.entrypoints.http.routing import PREFIX, ApiRoute
from services.gateway.entrypoints.http.unrouted import unrouted
from services.gateway.entrypoints.http.users import NewUser

ROUTES = build_api().router.routes
GOOD = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "10.00", "title": "Logo"}


def complaints(model: type[Fields], data: dict[str, Any]) -> list[dict[str, Any]]:
    with pytest.raises(ApiError) as caught:
        read_fields(model, data)
    fields: list[dict[str, Any]] = caught.value.details["fields"]
    return fields


@pytest.mark.parametrize(
    ("model", "data", "expected"),
    [
        (NewOrder, GOOD | {"ammount": "1"}, {"field": "ammount", "message": "unknown field; did you mean amount?"}),
        (NewOrder, GOOD | {"Title": "x"}, {"field": "Title", "message": "unknown field; did you mean title?"}),
        (NewOrder, GOOD | {"sku": "x"}, {"field": "sku", "message": "unknown field"}),
        (
            NewOrder,
            GOOD | {"buyerId": "usr_3"},
            {"field": "buyerId", "message": "a second spelling of the same field, with a different value"},
        ),
        (
            NewEscrow,
            {"amount": "1.00", "currency": "usd"},
            {"field": "currency", "message": "write one of USD, USDC, XLM; did you mean USD?", "allowed": ["USD", "USDC", "XLM"]},
        ),
        (
            OrderQuery,
            {"status": "IN_PROGRES"},
            {
                "field": "status",
                "message": "write one of ORDER_CREATED, FUNDS_RESERVED, ESCROW_FUNDING, IN_PROGRESS, DISPUTED, CLOSED; "
                "did you mean IN_PROGRESS?",
                "allowed": ["ORDER_CREATED", "FUNDS_RESERVED", "ESCROW_FUNDING", "IN_PROGRESS", "DISPUTED", "CLOSED"],
            },
        ),
        (NewUser, {"external_user_id": ""}, {"field": "external_user_id", "message": "write at least 1 character(s)"}),
        (NewUser, {}, {"field": "external_user_id", "message": "this field is required"}),
        (
            NewOrder,
            GOOD | {"milestones": [{"ref": "a", "title": "A", "amount": 1}]},
            {"field": "milestones[0].amount", "message": 'write the amount as a string, for example "12.50"'},
        ),
    ],
)
def test_a_complaint_says_what_to_write_instead(model: type[Fields], data: dict[str, Any], expected: dict[str, Any]) -> None:
    assert complaints(model, data) == [expected]


@pytest.mark.parametrize(
    ("method", "path", "code", "details"),
    [
        ("PUT", "/api/v1/orders", "METHOD_NOT_ALLOWED", {"allowed_methods": ["GET", "POST"]}),
        ("GET", "/api/v1/orders/ord_1/reserve", "METHOD_NOT_ALLOWED", {"allowed_methods": ["POST"]}),
        ("GET", "/orders/ord_1", "NOT_FOUND", {"did_you_mean": "/api/v1/orders/ord_1"}),
        ("GET", "/api/v1/order/ord_1", "NOT_FOUND", {"did_you_mean": "/api/v1/orders/ord_1"}),
        ("GET", "/api/v1/Orders/", "NOT_FOUND", {"did_you_mean": "/api/v1/orders"}),
        ("GET", "/api/v1//users", "NOT_FOUND", {"did_you_mean": "/api/v1/users"}),
        ("GET", "/nothing/like/it", "NOT_FOUND", {}),
        ("GET", "/", "NOT_FOUND", {}),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_the_nearest_that_does(
    method: str, path: str, code: str, details: dict[str, Any]
) -> None:
    error = unrouted(ROUTES, {"type": "http", "method": method, "path": path, "root_path": ""})
    assert (error.code, error.details) == (code, details)


def test_every_action_of_an_order_and_a_dispute_has_a_call_that_exists() -> None:
    assert set(CALLS) == {*map(str, OrderAction), *map(str, DisputeAction)}
    operations = {f"{route.operation.method} {route.path}" for route in ROUTES if isinstance(route, ApiRoute)}
    assert [call for call in CALLS.values() if call not in operations] == []


def test_the_actions_that_an_error_names_are_those_the_tables_allow() -> None:
    for table in (ORDER, DISPUTE):
        for status, action in table.table:
            assert action in table.possible(status)  # type: ignore[arg-type] # each table with its own kinds


@pytest.mark.parametrize(
    ("details", "calls"),
    [
        ({"order_id": "ord_1", "allowed_actions": ["reserve"]}, [f"POST {PREFIX}/orders/ord_1/reserve"]),
        ({"dispute_id": "dsp_1", "allowed_actions": ["resolve"]}, [f"POST {PREFIX}/disputes/dsp_1/resolve"]),
        (
            {"order_id": "o", "allowed_actions": ["complete_milestone"], "incomplete_milestones": ["a", "b"]},
            [f"POST {PREFIX}/orders/o/milestones/{ref}/complete" for ref in ("a", "b")],
        ),
        ({"order_id": "o", "allowed_actions": ["complete_milestone", "resolve", "invented"]}, []),
        ({"allowed_actions": []}, []),
    ],
)
def test_the_next_calls_are_spelled_as_far_as_their_ids_are_known(details: dict[str, Any], calls: list[str]) -> None:
    assert next_calls(details) == calls


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0.5, application/json; q=0.4", True),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("text/*", False),
    ],
)
def test_a_browser_gets_a_page_and_anybody_else_json(accept: str, expected: bool) -> None:  # noqa: FBT001
    assert wants_html(accept) is expected

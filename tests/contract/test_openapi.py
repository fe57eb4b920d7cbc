"""The API's document is a sound OpenAPI 3.1 document, says all that a client must know, and says what is true."""

import re
from typing import Any, get_args

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.replies import escrow, ledger, payouts, webhooks
from libs.common.kernel.ids import looks_like_id
from services.escrow.domain import disputes, states
from services.gateway.domain.access import Scope
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_pages import answer
from services.gateway.domain.errors import ApiError
from services.gateway.domain.key_records import KeyStatus
from services.gateway.entrypoints.http.escrow import NewEscrow
from services.gateway.entrypoints.http.examples_of_events import MEANINGS
from services.gateway.entrypoints.http.examples_of_ours import SHOWN
from services.gateway.entrypoints.http.fields import ID_PATTERN, Fields, Nothing, read_fields
from services.gateway.entrypoints.http.openapi import described
from services.gateway.entrypoints.http.orders import NewOrder
from services.gateway.entrypoints.http.routing import ApiRoute, error_codes
from services.payouts.domain import networks
from services.webhooks.domain.deliveries import DeliveryState
from tests.contract.test_error_codes import NOT_YET
from tests.support.api_document import JSON, Described, api_document, check_conforms, operations, resolved, routes, validator

DOCUMENT = api_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
ROUTES = [route for route in routes() if route.operation.reply is not None]
EACH = pytest.mark.parametrize("told", operations(), ids=str)
EACH_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.operation_id))
BODIES = sorted({route.body for route in ROUTES if route.body is not Nothing}, key=lambda body: body.__name__)


def test_it_is_a_valid_openapi_document() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_describes_every_operation_that_answers_with_a_resource_and_nothing_else() -> None:
    assert {(told.method, told.path) for told in operations()} == {
        (route.operation.method.lower(), route.path) for route in ROUTES
    }
    names = [told.entry["operationId"] for told in operations()]
    assert len(names) == len(set(names))


@EACH
def test_an_operation_says_what_it_does_and_who_may_do_it(told: Described) -> None:
    entry = told.entry
    assert 3 < len(entry["summary"]) <= 60
    assert not entry["summary"].endswith(".")
    assert len(entry["description"]) > 40
    [tag] = entry["tags"]
    assert tag in {group["name"]: group["description"] for group in DOCUMENT["tags"]}
    assert (
        f"`{entry['x-required-scope']}`" in entry["description"]
        if entry.get("x-required-scope") in ("read", "write", "support")
        else True
    )


@EACH_ROUTE
def test_the_scope_stands_where_tools_look_for_it(route: ApiRoute) -> None:
    entry = DOCUMENT["paths"][route.path][route.operation.method.lower()]
    scope = route.operation.scope
    expected: list[dict[str, list[str]]] = (
        [] if scope is Scope.PUBLIC else [{"ApiKey": [] if scope is Scope.ANY else [scope.value]}]
    )
    assert entry["security"] == expected
    assert entry.get("x-required-scope") == (None if scope is Scope.PUBLIC else scope.value)


@EACH
def test_what_an_operation_takes_has_an_example_that_its_schema_accepts(told: Described) -> None:
    for parameter in map(resolved, told.entry["parameters"]):
        assert parameter["description"], f"{parameter['name']} says nothing"
        if "example" in parameter:
            validator(parameter["schema"]).validate(parameter["example"])
        assert parameter["in"] != "path" or parameter["example"]
    if "requestBody" in told.entry:
        content = told.entry["requestBody"]["content"][JSON]
        validator(content["schema"]).validate(content["example"])


@EACH
def test_every_answer_has_an_example_that_its_schema_accepts(told: Described) -> None:
    assert any(status.startswith("2") for status in told.entry["responses"])
    for status, response in told.entry["responses"].items():
        content = resolved(response)["content"][JSON]
        examples = {name: resolved(example)["value"] for name, example in content.get("examples", {}).items()}
        examples |= {"": content["example"]} if "example" in content else {}
        assert examples, f"{status} has no example"
        for value in examples.values():
            validator(content["schema"]).validate(value)


@EACH
def test_the_errors_of_an_operation_stand_under_their_status_by_name(told: Described) -> None:
    [route] = [route for route in ROUTES if (route.path, route.operation.method.lower()) == (told.path, told.method)]
    found = {
        (int(status), code)
        for status, response in told.entry["responses"].items()
        for code in resolved(response)["content"][JSON].get("examples", {})
        if code in CATALOGUE
    }
    assert found == {(CATALOGUE[code].status, code) for code in error_codes(route.operation)}
    for response in told.entry["responses"].values():
        assert {"X-Request-ID", "X-RateLimit-Remaining"} <= set(resolved(response)["headers"])
    assert "Retry-After" in resolved(told.entry["responses"]["429"])["headers"]


def test_every_code_of_the_catalogue_can_be_met_somewhere() -> None:
    met = {code for route in ROUTES for code in error_codes(route.operation)}
    assert set(CATALOGUE) - met - set(NOT_YET) == {"METHOD_NOT_ALLOWED"}


@EACH
def test_writes_take_an_idempotency_key_and_reads_do_not(told: Described) -> None:
    names = {resolved(parameter)["name"] for parameter in told.entry["parameters"]}
    assert ("Idempotency-Key" in names) is (told.method != "get")
    assert "X-Request-ID" in names


def test_lists_are_paginated_the_same_way() -> None:
    for told in operations():
        schema = resolved(told.entry["responses"].get("200", {})).get("content", {JSON: {"schema": {}}})[JSON]["schema"]
        if "pagination" not in schema.get("properties", {}):
            continue
        parameters = {resolved(parameter)["name"]: resolved(parameter) for parameter in told.entry["parameters"]}
        if "limit" in parameters:
            assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
            assert parameters.keys() & {"cursor", "after"}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.__name__) for kind in SHOWN])
def test_an_example_of_an_answer_is_one_that_the_code_could_give(kind: type[msgspec.Struct]) -> None:
    assert _as_given(kind, SHOWN[kind]) == SHOWN[kind]


@EACH_ROUTE
def test_an_operations_own_example_is_one_that_the_code_could_give(route: ApiRoute) -> None:
    assert route.operation.reply is not None
    if route.operation.shown is not None:
        assert _as_given(route.operation.reply, route.operation.shown) == route.operation.shown


def _as_given(kind: type[msgspec.Struct], shown: dict[str, Any]) -> Any:
    """Read an example as its type, and write it again as an answer would be."""
    return msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(shown), type=kind)))


@pytest.mark.parametrize(("name", "kind"), EVENTS.items())
def test_an_event_says_what_it_means_and_has_an_example_of_its_kind(name: str, kind: type[msgspec.Struct]) -> None:
    entry = DOCUMENT["webhooks"][name]["post"]
    assert entry["summary"] == MEANINGS[name]
    content = entry["requestBody"]["content"][JSON]
    validator(content["schema"]).validate(content["example"])
    assert content["schema"]["properties"]["type"]["const"] == name
    data = content["example"]["data"]
    assert _as_given(kind, data) == data


def test_no_event_is_described_that_does_not_exist() -> None:
    assert set(DOCUMENT["webhooks"]) == set(MEANINGS) == set(EVENTS)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_an_example_of_a_body_is_one_that_we_take(body: type[Fields]) -> None:
    schema = SCHEMAS[body.__name__]
    assert schema["additionalProperties"] is False
    assert "camelCase" in schema["description"]
    for example in schema["examples"]:
        read_fields(body, example)


AMOUNT = SCHEMAS["NewEscrow"]["properties"]["amount"]


@pytest.mark.parametrize(
    "amount",
    [
        *("1", "0.0000001", "899999999999.9999999", "000.1", "12.5"),
        *(
            "0",
            "0.00",
            "000.000",
            "-1",
            "+1",
            "1e3",
            " 1",
            "1,00",
            "1.",
            ".5",
            "0.00000001",
            "9" * 13,
            "\uff11",
            "",
            1,
            None,
        ),
    ],
)
def test_the_schema_and_the_code_agree_on_what_an_amount_is(amount: Any) -> None:
    assert validator(AMOUNT).is_valid(amount) is _is_read(NewEscrow, {"amount": amount, "currency": "USD"})


@given(st.from_regex(AMOUNT["pattern"].replace("$", r"\Z"), fullmatch=False))
def test_every_amount_that_the_schema_allows_is_taken(amount: str) -> None:
    assert _is_read(NewEscrow, {"amount": amount, "currency": "USD"})


@pytest.mark.parametrize(
    ("change", "is_good"),
    [
        ({}, True),
        ({"currency": "XLM"}, True),
        ({"description": None}, True),
        ({"milestones": []}, True),
        ({"currency": "EUR"}, False),
        ({"title": ""}, False),
        ({"title": "x" * 256}, False),
        ({"buyer_id": None}, False),
        ({"colour": "red"}, False),
        ({"metadata": []}, False),
        ({"metadata": {str(number): 1 for number in range(51)}}, False),
        ({"milestones": [{"ref": "a", "title": "A", "amount": 5}]}, False),
        ({"milestones": [{"ref": "a", "title": "A", "amount": "5", "x": 1}]}, False),
    ],
)
def test_the_schema_and_the_code_agree_on_what_an_order_is(change: dict[str, Any], is_good: bool) -> None:  # noqa: FBT001
    body = {"buyer_id": "usr_1", "seller_id": "usr_2", "amount": "10.00", "title": "A logo"} | change
    assert validator(SCHEMAS["NewOrder"]).is_valid(body) is is_good
    assert _is_read(NewOrder, body) is is_good


@given(st.from_regex(rf"\A{ID_PATTERN.strip('^$')}\Z"))
def test_what_the_document_calls_an_id_is_one(text: str) -> None:
    assert looks_like_id(text)


def _is_read(model: type[Fields], data: dict[str, Any]) -> bool:
    try:
        read_fields(model, data)
    except ApiError:
        return False
    return True


def _values(schema: str, field: str) -> list[str]:
    found = SCHEMAS[schema]["properties"][field]
    return [value for value in found["enum"] if value is not None]


@pytest.mark.parametrize(
    ("schema", "field", "values"),
    [
        ("Order", "status", states.OrderStatus),
        ("Order", "final_status", states.FinalStatus),
        ("Escrow", "status", states.EscrowStatus),
        ("Milestone", "status", states.MilestoneStatus),
        ("Dispute", "status", states.DisputeStatus),
        ("Dispute", "reason", disputes.REASONS),
        ("Delivery", "state", DeliveryState),
        ("ApiKey", "status", KeyStatus),
    ],
)
def test_the_values_of_an_answer_are_those_that_its_service_knows(schema: str, field: str, values: Any) -> None:
    assert set(_values(schema, field)) == {str(value) for value in values}


def test_what_queries_filter_by_is_what_answers_show() -> None:
    for path, name, values in (
        ("/api/v1/orders", "status", escrow.OrderStatus),
        ("/api/v1/disputes", "status", escrow.DisputeStatus),
        ("/api/v1/users", "status", ledger.UserStatus),
        ("/api/v1/webhooks/{webhook_id}/deliveries", "state", webhooks.DeliveryState),
    ):
        [parameter] = [item for item in DOCUMENT["paths"][path]["get"]["parameters"] if item.get("name") == name]
        assert parameter["schema"]["enum"] == list(get_args(values))
    assert get_args(payouts.StellarNetwork) == get_args(networks.Network)


def test_a_schema_that_nothing_refers_to_is_not_kept() -> None:
    text = str(described(ROUTES))
    assert [name for name in SCHEMAS if f"#/components/schemas/{name}'" not in text] == []
    assert [name for name in DOCUMENT["components"]["responses"] if f"#/components/responses/{name}'" not in text] == []
    assert [name for name in DOCUMENT["components"]["examples"] if f"#/components/examples/{name}'" not in text] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "complaint"),
    [
        ("GET", "/orders/ord_1", 404, {"error": answer("ORDER_NOT_FOUND")["error"]}, None),
        ("GET", "/orders/ord_1", 418, {"error": answer("ORDER_NOT_FOUND")["error"]}, "418"),
        ("GET", "/orders/ord_1", 404, {"error": answer("USER_NOT_FOUND")["error"]}, "does not document USER_NOT_FOUND"),
        ("GET", "/orders/ord_1", 404, {"error": {"code": "ORDER_NOT_FOUND"}}, "'message' is a required property"),
        ("GET", "/orders/ord_1", 200, {"data": SHOWN[escrow.Order]}, None),
        ("GET", "/orders/ord_1", 200, {"data": SHOWN[escrow.Order] | {"status": "LOST"}}, "'LOST' is not one of"),
        ("GET", "/orders/ord_1", 200, {"data": SHOWN[escrow.Order] | {"created_at": "2026-01-01"}}, "does not match"),
        ("GET", "/orders", 200, {"data": []}, "'pagination' is a required property"),
        ("GET", "/nowhere", 404, {"error": answer("NOT_FOUND")["error"]}, None),
    ],
)
async def test_an_answer_that_the_document_does_not_promise_is_noticed(
    method: str, path: str, status: int, body: Any, complaint: str | None
) -> None:
    heard = httpx.Response(status, json=body, request=httpx.Request(method, f"http://x/api/v1{path}"))
    if complaint is None:
        await check_conforms(heard)
        return
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        await check_conforms(heard)

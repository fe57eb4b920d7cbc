import json

import pytest
from fastapi.routing import APIRouter

from services.gateway.app import build_api
from services.gateway.domain.access import Scope
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute, check_scopes

ROUTES = [route for route in build_api().router.routes if isinstance(route, ApiRoute)]
SUPPORT = {
    "credit_balance", "debit_balance", "create_api_key", "revoke_api_key", "comment_dispute", "assign_dispute", "resolve_dispute",
}  # fmt: skip
PUBLIC = {"get_health", "get_config", "get_error", "get_openapi"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.operation_id))
def test_every_operation_asks_for_the_scope_the_reference_names(route: ApiRoute) -> None:
    name, operation = route.operation_id, route.operation
    if name in PUBLIC:
        expected = Scope.PUBLIC
    elif name == "get_me":
        expected = Scope.ANY
    elif name in SUPPORT:
        expected = Scope.SUPPORT
    else:
        expected = Scope.READ if operation.method == "GET" else Scope.WRITE
    assert operation.scope is expected


def test_a_route_without_a_scope_stops_the_start() -> None:
    router = APIRouter()

    @router.get("/open")
    def open_door() -> str:
        return "hello"

    with pytest.raises(TypeError, match="/open declares no scope"):
        check_scopes(router)


def test_the_document_describes_every_operation_with_real_schemas() -> None:
    described = json.loads(document(ROUTES))
    assert described["openapi"].startswith("3.1")
    operations = {(method, path) for path, entry in described["paths"].items() for method in entry}
    assert operations == {(route.operation.method.lower(), route.path) for route in ROUTES}
    assert "amount" in described["components"]["schemas"]["Order"]["properties"]
    create = described["paths"]["/api/v1/orders"]["post"]
    assert create["x-required-scope"] == "write"
    assert {"201", "400", "401", "409", "422", "503"} <= set(create["responses"])
    assert described["components"]["schemas"]["NewOrder"]["properties"]["amount"]["type"] == "string"
    assert any(parameter["name"] == "Idempotency-Key" for parameter in create["parameters"])


def test_no_reference_of_the_document_leads_nowhere() -> None:
    text = document(ROUTES).decode()
    names = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(json.loads(text)["components"]["schemas"])

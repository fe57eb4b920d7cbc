import pytest
from fastapi.routing import APIRouter

from services.gateway.app import build_api
from services.gateway.domain.access import Scope
from services.gateway.entrypoints.http.routing import ApiRoute, check_scopes

ROUTES = [route for route in build_api().router.routes if isinstance(route, ApiRoute)]
SUPPORT = {
    "approve_withdrawal",
    "credit_balance", "debit_balance", "get_maintenance", "create_api_key", "rotate_api_key", "revoke_api_key",
    "remove_second_factor", "comment_dispute", "assign_dispute", "resolve_dispute", "get_delivery_evidence",
}  # fmt: skip
MASTER = {"enable_maintenance", "disable_maintenance"}
PUBLIC = {
    "get_health",
    "get_detailed_health",
    "get_config",
    "list_errors",
    "get_error",
    "get_openapi",
    "get_reference",
    "get_style",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.operation_id))
def test_every_operation_asks_for_the_scope_the_reference_names(route: ApiRoute) -> None:
    name, operation = route.operation_id, route.operation
    if name in PUBLIC:
        expected = Scope.PUBLIC
    elif name == "get_me":
        expected = Scope.ANY
    elif name in MASTER:
        expected = Scope.MASTER
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

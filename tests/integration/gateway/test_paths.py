"""What is not an operation is nothing, however its path or its method is written; and no spelling gets past a check."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRouter

from libs.common.contracts.catalog import COMMANDS
from services.gateway.app import build_api
from services.gateway.domain.access import Scope
from services.gateway.entrypoints.http.routing import ApiRoute, check_scopes
from tests.support.gateway import FakeServices, Served, make_key

pytestmark = pytest.mark.integration
ROUTES = [route for route in build_api().router.routes if isinstance(route, ApiRoute)]
IDS = {"user_id": "usr_1", "order_id": "ord_1", "dispute_id": "dsp_1", "webhook_id": "wh_1", "key_id": "key_1"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "QUERY")
OVERRIDES = {
    "X-HTTP-Method-Override": "GET", "X-Original-URL": "/api/v1/health", "X-Rewrite-URL": "/api/v1/health",
    "X-Forwarded-Prefix": "/api/v1", "X-User": "master", "X-API-Key": "the-master-key-of-a-test-run",
}  # fmt: skip


def path_of(route: ApiRoute) -> str:
    return route.path.format(**{name: IDS.get(name, "some") for name in route.param_convertors})


def spellings(path: str) -> Iterator[str]:
    """Other ways to write a path, of which some servers, proxies or routers think that they are the same."""
    head, _, tail = path.rpartition("/")
    yield from (f"{path}/", f"{path}//", f"/{path}", f"{head}//{tail}", f"{head}/./{tail}", f"{head}/x/../{tail}")
    yield from (f"{head}%2f{tail}", f"{head}%2F{tail}", f"{head}%5c{tail}", f"{head}/%2e/{tail}", f"{head}/{tail}%00")
    yield from (f"{head}/%{ord(tail[0]):02x}{tail[1:]}", f"{head}/{tail};a=b", f"{head}/{tail}%20", f"{head}/{tail}.json")
    yield from (path.upper(), path.swapcase(), f"{head}/{tail.capitalize()}", path.replace("/api/v1", ""), f"{path}?")
    yield from (path.replace("/api/v1", "/api/v2"), path.replace("/api/v1", "/api/v1/health/.."), f"http://127.0.0.1{path}")


async def sent(served: Served, method: str, target: str, key: str = "", **headers: str) -> httpx.Response:
    """A request whose target stands on the wire as it is given."""
    client = served.client
    request = client.build_request(method, "/", headers=headers)
    request.extensions = {**request.extensions, "target": target.encode()}
    del request.headers["Authorization"]
    if key:
        request.headers["Authorization"] = f"Bearer {key}"
    return await client.send(request)


async def test_no_spelling_of_a_path_lets_anybody_in_without_a_key(served: Served, services: FakeServices) -> None:
    open_doors = []
    for route in (route for route in ROUTES if route.operation.scope is not Scope.PUBLIC):
        path = path_of(route)
        for target in (path, *spellings(path)):
            answer = await sent(served, route.operation.method, target)
            if answer.status_code not in (400, 401, 404, 405):
                open_doors.append((route.operation.method, target, answer.status_code))
    assert open_doors == []
    assert services.heard == []


async def test_no_spelling_of_a_path_gives_a_key_more_than_its_scope(served: Served, services: FakeServices) -> None:
    reader = await make_key(served, scopes=["read"])
    open_doors = []
    for route in ROUTES:
        path = path_of(route)
        if route.operation.scope not in (Scope.WRITE, Scope.SUPPORT, Scope.MASTER):
            continue
        for target in (path, *spellings(path)):
            answer = await sent(served, route.operation.method, target, reader["key"])
            if answer.status_code not in (400, 403, 404, 405):
                open_doors.append((route.operation.method, target, answer.status_code))
    assert open_doors == []
    assert [envelope.type for envelope, _ in services.heard if (envelope.type, 1) in COMMANDS] == []


async def test_a_path_takes_the_methods_it_declares_and_no_other(served: Served, services: FakeServices) -> None:
    declared: dict[str, set[str]] = {}
    for route in ROUTES:
        declared.setdefault(path_of(route), set()).add(route.operation.method)
    wrong = []
    for path, methods in declared.items():
        for method in set(METHODS) - methods:
            answer = await sent(served, method, path)
            refused = answer.status_code in (400, 405)
            if not refused or (answer.status_code == 405 and set(answer.headers["allow"].split(", ")) != methods):
                wrong.append((method, path, answer.status_code, answer.headers.get("allow")))
    assert wrong == []
    assert services.heard == []


async def test_no_header_but_authorization_says_who_asks_or_what(served: Served, services: FakeServices) -> None:
    for name, value in OVERRIDES.items():
        answer = await sent(served, "POST", "/api/v1/orders", **{name: value})
        assert answer.status_code == 401, name
    assert services.heard == []


async def test_neither_the_query_nor_the_body_nor_a_cookie_can_hold_a_key(served: Served) -> None:
    made = await make_key(served)
    for target in (f"/api/v1/orders?api_key={made['key']}", f"/api/v1/orders?access_token={made['key']}"):
        assert (await sent(served, "GET", target)).status_code == 401
    for name in ("Cookie", "Proxy-Authorization", "X-Authorization"):
        assert (await sent(served, "GET", "/api/v1/orders", **{name: f"Bearer {made['key']}"})).status_code == 401


def test_a_route_whose_scope_is_no_scope_stops_the_start() -> None:
    api = build_api()
    [route, *_] = [route for route in api.router.routes if isinstance(route, ApiRoute)]
    object.__setattr__(route.operation, "scope", "write")
    try:
        with pytest.raises(TypeError, match="declares no scope"):
            check_scopes(api.router)
    finally:
        object.__setattr__(route.operation, "scope", Scope("read"))


def test_a_mounted_application_stops_the_start() -> None:
    router = APIRouter()
    router.mount("/files", app=lambda *_: None)  # type: ignore[arg-type] # nobody will call it
    with pytest.raises(TypeError, match="/files declares no scope"):
        check_scopes(router)

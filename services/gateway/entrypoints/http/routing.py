"""Routes that let nobody in before their key is checked, and then read a request strictly.

FastAPI routes and documents; its own request handling is not used, because it reads the body before any dependency runs and
costs about as much as everything else the gateway does for a request.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from fastapi.routing import APIRoute, APIRouter
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from libs.common.kernel.ids import looks_like_id
from services.gateway.domain.access import Scope, allows
from services.gateway.domain.answers import Answer
from services.gateway.domain.documents import DocumentError, read_document
from services.gateway.domain.errors import ApiError, invalid
from services.gateway.domain.idempotency import is_key
from services.gateway.entrypoints.http.bodies import read_body
from services.gateway.entrypoints.http.calls import Call
from services.gateway.entrypoints.http.fields import Fields, Nothing, read_fields

PREFIX: Final = "/api/v1"
MISSING: Final = {
    "user_id": "USER_NOT_FOUND",
    "order_id": "ORDER_NOT_FOUND",
    "dispute_id": "DISPUTE_NOT_FOUND",
    "webhook_id": "WEBHOOK_NOT_FOUND",
    "key_id": "API_KEY_NOT_FOUND",
    "ref": "MILESTONE_NOT_FOUND",
}
"""Path parameter → the code of a resource that does not exist. What can't be an id is not looked up."""
_REF: Final = re.compile(r"[^\x00-\x1f]{1,255}")
_QUERY_FIELDS_MAX: Final = 30

Endpoint = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path, and the scope it asks for: there is no operation without one."""

    method: str
    path: str
    endpoint: Endpoint
    scope: Scope
    reply: type[msgspec.Struct] | None = None
    """What `data` holds, or its items for a list."""
    is_list: bool = False
    status: int = 200


class ApiRoute(APIRoute):
    """A route of the API: key, scope, ids, query, Idempotency-Key and body, checked in this order."""

    def __init__(self, path: str, endpoint: Endpoint, *, operation: Operation, **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        """Learn from the endpoint's signature what it takes."""
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint)
        self.operation = operation
        self._body: type[Fields] = hints.get("body", Nothing)
        self._query: type[Fields] = hints.get("query", Nothing)
        parameters = inspect.signature(endpoint).parameters
        self._takes_body, self._takes_query = "body" in parameters, "query" in parameters
        self._query_names = self._query.names()
        self._is_write = operation.method != "GET"
        self.app = self._serve

    async def _serve(self, scope: ASGIScope, receive: Receive, _send: Send) -> None:
        call: Call = scope["offerhub.call"]
        scope["offerhub.answer"] = await self._answer(call, scope, receive)

    async def _answer(self, call: Call, scope: ASGIScope, receive: Receive) -> Answer:
        self._authorise(call)
        arguments: dict[str, Any] = scope["path_params"]
        for name, value in arguments.items():
            _check_id(name, value)
        if scope["query_string"] or self._takes_query:
            query = self._read_query(scope["query_string"])
            if self._takes_query:
                arguments["query"] = query
        if self._is_write:
            if call.idempotency_key is not None and not is_key(call.idempotency_key):
                raise invalid("Idempotency-Key", "write 1 to 255 visible ASCII characters")
            call.document = await self._read_document(call, receive)
            body = read_fields(self._body, call.document)
            if self._takes_body:
                arguments["body"] = body
        answer: Answer = await self.endpoint(call, **arguments)
        return answer

    def _authorise(self, call: Call) -> None:
        wanted = self.operation.scope
        if wanted is not Scope.PUBLIC and not allows(call.principal, wanted):
            raise ApiError("INSUFFICIENT_SCOPE", required_scope=wanted.value, current_scopes=sorted(call.principal.scopes))

    def _read_query(self, query_string: bytes) -> Fields:
        if not query_string:
            return read_fields(self._query, {})
        try:
            pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
        except ValueError:
            raise invalid("query", f"at most {_QUERY_FIELDS_MAX} parameters") from None
        found: dict[str, str] = {}
        for name, value in pairs:
            if name not in self._query_names:
                raise invalid(name, "unknown query parameter")
            if name in found:
                raise invalid(name, "the parameter is there twice")
            if "\0" in value or "\ufffd" in value:
                raise invalid(name, "not valid UTF-8 text")
            found[name] = value
        return read_fields(self._query, found)

    async def _read_document(self, call: Call, receive: Receive) -> dict[str, Any]:
        body = await read_body(call, receive)
        try:
            return read_document(body)
        except DocumentError as error:
            raise invalid(error.field, str(error)) from None


def _check_id(name: str, value: str) -> None:
    good = _REF.fullmatch(value) is not None if name == "ref" else name == "code" or looks_like_id(value)
    if not good:
        raise ApiError(MISSING[name])


def add_operations(router: APIRouter, operations: tuple[Operation, ...], *, tag: str) -> None:
    """Put operations on the router."""
    for operation in operations:
        route = ApiRoute(
            PREFIX + operation.path,
            operation.endpoint,
            operation=operation,
            methods=[operation.method],
            response_model=None,
            status_code=operation.status,
            tags=[tag],
            operation_id=operation.endpoint.__name__,
        )
        router.routes.append(route)


def check_scopes(router: APIRouter) -> None:
    """Refuse to start with a route that declares no scope.

    Raises:
        TypeError: names the route.
    """
    for route in router.routes:
        if not isinstance(route, ApiRoute) or not isinstance(route.operation.scope, Scope):
            raise TypeError(f"the route {getattr(route, 'path', route)} declares no scope")

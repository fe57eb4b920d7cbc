"""Routes that let nobody in before their key is checked, and then read a request strictly.

FastAPI routes; its own request handling is not used, because it reads the body before any dependency runs and costs about as
much as everything else the gateway does for a request.
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
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.deprecation import Deprecation
from services.gateway.domain.documents import DocumentError, read_document
from services.gateway.domain.errors import ApiError, invalid
from services.gateway.domain.idempotency import is_key
from services.gateway.domain.limits import Rule
from services.gateway.entrypoints.http.bodies import read_body
from services.gateway.entrypoints.http.calls import Call
from services.gateway.entrypoints.http.complaints import unknown
from services.gateway.entrypoints.http.fields import Fields, Nothing, read_fields

PREFIX: Final = "/api/v1"
MISSING: Final = {
    "user_id": "USER_NOT_FOUND",
    "order_id": "ORDER_NOT_FOUND",
    "dispute_id": "DISPUTE_NOT_FOUND",
    "webhook_id": "WEBHOOK_NOT_FOUND",
    "delivery_id": "DELIVERY_NOT_FOUND",
    "replay_id": "REPLAY_NOT_FOUND",
    "event_id": "EVENT_NOT_FOUND",
    "key_id": "API_KEY_NOT_FOUND",
    "withdrawal_id": "WITHDRAWAL_NOT_FOUND",
    "request_id": "REQUEST_NOT_FOUND",
    "ref": "MILESTONE_NOT_FOUND",
    "code": "NOT_FOUND",
}
"""Path parameter → the code of a resource that does not exist. What can't be an id is not looked up."""
_PARAMETER: Final = re.compile(r"{(\w+)}")
_REF: Final = re.compile(r"[^\x00-\x1f]{1,255}")
_QUERY_FIELDS_MAX: Final = 30
_SHOWN_MAX: Final = 100

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
    in_maintenance: bool = False
    """A write that goes on during a maintenance."""
    needs_key: bool = False
    """A write that is refused without an Idempotency-Key."""
    limit: Rule | None = None
    """Counts its requests for each user too: its `field` is one of the body's."""
    codes: tuple[str, ...] = ()
    """The errors of its own that it can answer, beside those that follow from what it takes: see `error_codes`."""
    also: tuple[int, ...] = ()
    """Other statuses that it answers with the same shape."""
    shown: dict[str, Any] | None = None
    """An example of what `data` holds, when the one of its kind does not fit."""
    stream: str = ""
    """Frames of the stream that it answers with when it is asked for one; empty when it has none."""
    deprecated: Deprecation | None = None

    @property
    def is_write(self) -> bool:
        """Tell whether it may change something."""
        return self.method != "GET"

    @property
    def ids(self) -> list[str]:
        """The parameters of its path."""
        return _PARAMETER.findall(self.path)


class ApiRoute(APIRoute):
    """A route of the API: key, scope, ids, query, Idempotency-Key and body, checked in this order."""

    def __init__(self, path: str, endpoint: Endpoint, *, operation: Operation, **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        """Learn from the endpoint's signature what it takes."""
        super().__init__(path, endpoint, **options)
        hints = get_type_hints(endpoint)
        self.operation = operation
        self.notice = operation.deprecated.headers if operation.deprecated is not None else ()
        self.body: type[Fields] = hints.get("body", Nothing)
        self.query: type[Fields] = hints.get("query", Nothing)
        parameters = inspect.signature(endpoint).parameters
        self._takes_body, self._takes_query = "body" in parameters, "query" in parameters
        self._query_names = self.query.names()
        self._can_pause = operation.is_write and not operation.in_maintenance
        self.app = self._serve

    async def _serve(self, scope: ASGIScope, receive: Receive, _send: Send) -> None:
        call: Call = scope["offerhub.call"]
        scope["offerhub.answer"] = await self._answer(call, scope, receive)

    async def _answer(self, call: Call, scope: ASGIScope, receive: Receive) -> Answer:
        call.operation, call.success = self.operation.endpoint.__name__, self.operation.status
        if self.operation.scope is not Scope.PUBLIC:
            call.require(self.operation.scope)
        if self._can_pause:
            call.use_cases.maintenance.check()
        arguments: dict[str, Any] = scope["path_params"]
        for name, value in arguments.items():
            _check_id(name, value)
        call.resource_id = next(iter(arguments.values()), None)
        if scope["query_string"] or self._takes_query:
            query = self._read_query(scope["query_string"])
            if self._takes_query:
                arguments["query"] = query
        if self.operation.is_write:
            _check_key(call.idempotency_key, is_needed=self.operation.needs_key)
            call.document = await self._read_document(call, receive)
            body = read_fields(self.body, call.document)
            call.redacted = self.body.without_secrets(call.document)
            if self.operation.limit is not None:
                rule = self.operation.limit
                call.meter.owe(rule, f"{call.tenant}:{getattr(body, rule.field)}")
            if self._takes_body:
                arguments["body"] = body
        answer: Answer = await self.endpoint(call, **arguments)
        return answer

    def _read_query(self, query_string: bytes) -> Fields:
        if not query_string:
            return read_fields(self.query, {})
        try:
            pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX)
        except ValueError:
            raise invalid("query", f"at most {_QUERY_FIELDS_MAX} parameters") from None
        found: dict[str, str] = {}
        for name, value in pairs:
            if name not in self._query_names:
                raise invalid(name, unknown("query parameter", name, self._query_names))
            if name in found:
                raise invalid(name, "the parameter is there twice")
            if "\0" in value or "\ufffd" in value:
                raise invalid(name, "not valid UTF-8 text")
            found[name] = value
        return read_fields(self.query, found)

    async def _read_document(self, call: Call, receive: Receive) -> dict[str, Any]:
        body = await read_body(call, receive)
        try:
            return read_document(body)
        except DocumentError as error:
            raise invalid(error.field, str(error)) from None


def _check_key(key: str | None, *, is_needed: bool) -> None:
    if key is not None and not is_key(key):
        raise invalid("Idempotency-Key", "write 1 to 255 visible ASCII characters, and no API key")
    if key is None and is_needed:
        raise invalid("Idempotency-Key", "this request needs one: write a fresh UUID, and the same one when you repeat it")


def _check_id(name: str, value: str) -> None:
    is_ours = name not in ("ref", "code", "request_id")
    if not looks_like_id(value) if is_ours else _REF.fullmatch(value) is None:
        error = ApiError(MISSING[name])
        error.details["milestone_ref" if name == "ref" else name] = value[:_SHOWN_MAX]
        raise error


def error_codes(operation: Operation) -> list[str]:
    """List the errors that an operation can answer: those that follow from what it takes, and those of its own."""
    found = {"VALIDATION_ERROR", "RATE_LIMITED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE", *operation.codes}
    found |= {MISSING[name] for name in operation.ids}
    if operation.scope is not Scope.PUBLIC:
        found |= {"UNAUTHORIZED", "ADDRESS_NOT_ALLOWED"}
    if operation.scope not in (Scope.PUBLIC, Scope.ANY):
        found.add("INSUFFICIENT_SCOPE")
    if operation.is_write:
        found |= {"REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"}
        found |= {"IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_IN_PROGRESS"}
    if operation.is_write and not operation.in_maintenance:  # what a maintenance does not stop, the gateway does alone
        found |= {"OUTCOME_UNKNOWN", "NOT_EXECUTED"}
    return [code for code in CATALOGUE if code in found]


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

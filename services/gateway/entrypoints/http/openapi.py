"""The OpenAPI 3.1 document, made from the table of operations and the types of what they take and answer."""

import inspect
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.gateway.domain.access import Scope
from services.gateway.entrypoints.http.announced import HEADERS, TAG, announced, event_schemas
from services.gateway.entrypoints.http.examples_of_ours import SHOWN_IDS
from services.gateway.entrypoints.http.fields import ID_PATTERN, Nothing, example_of
from services.gateway.entrypoints.http.public import API_VERSION
from services.gateway.entrypoints.http.responses import JSON, components, responses
from services.gateway.entrypoints.http.routing import ApiRoute, Operation
from services.gateway.entrypoints.http.schemas import Schema, body_schemas, query_parameters, ref, reply_schemas

SECURITY: Final = "ApiKey"
_SCOPES: Final = {
    Scope.PUBLIC: "Needs no key.",
    Scope.ANY: "Needs any valid key.",
    Scope.MASTER: "Needs the master key.",
}
_INFO: Final[Schema] = {
    "title": "OFFER-HUB",
    "version": API_VERSION,
    "summary": "Escrow and payments orchestration for marketplaces",
    "description": (
        "Hold a buyer's money, release it to the seller, refund it, or split it after a dispute.\n\n"
        'A resource comes as `{"data": …}`, a list with `pagination` beside it, an error as `{"error": …}` with a `doc_url` that '
        "explains it. Amounts are decimal strings; instants are UTC with three decimals. Fields are snake_case in answers; "
        "requests may spell them in camelCase too, and unknown fields and parameters are refused."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
_TAGS: Final = {
    "Users": "Who buys and sells, and what they own. A user is known by your own id for it.",
    "Wallets": "Where a user's deposits go.",
    "Withdrawals": "How a user's money leaves: to an address on the Stellar network.",
    "Orders": "A sale between two users, with its milestones, from the agreement to the end.",
    "Escrow": "Where the money of an order is kept while the work is under way: neither party can reach it.",
    "Resolution": "How an order ends: the seller is paid, the buyer gets the money back, or somebody contests it.",
    "Disputes": "What your support does about a contested order.",
    "Webhooks": "Where events are sent, and what became of them.",
    TAG: "The log of all events, and what your endpoints and the stream are told of each thing, in the order of its own story.",
    "Auth": "API keys, and whom they stand for.",
    "Records": "What was asked, by whom, and what it changed.",
    "Admin": "What the operator does.",
    "Public": "What anybody may ask.",
    "Errors": "Every error code, explained.",
}
_KEY: Final[Schema] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "ohk_live_… or ohk_test_…",
    "description": (
        "Send your API key as `Authorization: Bearer ohk_live_…`. It is for one marketplace and one mode, live or test. Its "
        "scopes are `read`, `write` and `support`; none contains another. Each operation says which one it needs."
    ),
}
_PARAMETERS: Final[dict[str, Schema]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": (
            "`Idempotency-Key` is your name for a request, best a fresh UUID. Repeated with it, the request is not done again "
            "and gets its first answer; with another body it is refused. It is remembered for 24 hours, for orders and escrow "
            "7 days, for disputes forever."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "550e8400-e29b-41d4-a716-446655440000",
    },
    "RequestID": {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "description": "Your id for this request, to find it in logs: 128 letters, digits and `._:-` at most; else we make one",
        "schema": {"type": "string"},
        "example": "checkout-7f3a",
    },
    "LastEventID": {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "description": "For a stream: the last `id` that you got. It goes on after it; empty is the same as none.",
        "schema": {"type": "string", "pattern": "^[0-9]{0,18}$"},
        "example": "42",
    },
}
_PARAMETERS["RequiredIdempotencyKey"] = _PARAMETERS["IdempotencyKey"] | {"required": True}
_IDS: Final = {
    "ref": ("The milestone's `ref`, as it was given with the order", {"type": "string", "minLength": 1, "maxLength": 255}),
    "request_id": (
        "Our id of the request, or the X-Request-ID it came with",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "code": ("A code of the error catalogue", {"type": "string", "pattern": "^[A-Z_]+$"}),
}


def document(routes: Sequence[ApiRoute]) -> bytes:
    """Describe these routes, as JSON."""
    return msgspec.json.encode(described(routes))


def described(routes: Sequence[ApiRoute]) -> Schema:
    """Describe those of these routes that answer with a resource: pages and the document itself speak for themselves."""
    routes = [route for route in routes if route.operation.reply is not None]
    operations = [route.operation for route in routes]
    paths: dict[str, Schema] = {}
    for route in sorted(routes, key=lambda route: route.path.count("/")):  # the resource first, what is part of it later
        paths.setdefault(route.path, {})[route.operation.method.lower()] = _operation(route)
    shared = components(operations)
    replies = sorted({item.reply for item in operations if item.reply is not None}, key=lambda reply: reply.__name__)
    bodies = sorted({route.body for route in routes if route.body is not Nothing}, key=lambda body: body.__name__)
    used = {tag for route in routes for tag in route.tags}
    return {
        "openapi": "3.1.0",
        "info": _INFO,
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items() if name in used | {TAG}],
        "paths": paths,
        "webhooks": announced(),
        "components": {
            "schemas": {**body_schemas(bodies), **reply_schemas(replies), **event_schemas(), **shared["schemas"]},
            "parameters": {**_PARAMETERS, **HEADERS},
            "responses": shared["responses"],
            "headers": shared["headers"],
            "examples": shared["examples"],
            "securitySchemes": {SECURITY: _KEY},
        },
    }


def _operation(route: ApiRoute) -> Schema:
    operation = route.operation
    summary, description = _told(operation)
    entry: Schema = {
        "tags": list(route.tags),
        "operationId": route.operation_id,
        "summary": summary,
        "description": description,
        "parameters": _parameters(route),
    }
    if route.body is not Nothing:
        required = any(field.is_required() for field in route.body.model_fields.values())
        content = {JSON: {"schema": ref(route.body.__name__), "example": example_of(route.body)}}
        entry["requestBody"] = {"required": required, "content": content}
    entry["responses"] = responses(operation)
    if operation.scope is Scope.PUBLIC:
        entry["security"] = []
    else:
        entry["security"] = [{SECURITY: [] if operation.scope is Scope.ANY else [operation.scope.value]}]
        entry["x-required-scope"] = operation.scope.value
    if operation.deprecated is not None:
        entry["deprecated"] = True
        entry["x-sunset"] = operation.deprecated.sunset.isoformat()
        entry["externalDocs"] = {"url": operation.deprecated.link, "description": "What to use instead"}
    return entry


def _told(operation: Operation) -> tuple[str, str]:
    """Return (summary, description): the first sentence of the endpoint's docstring, and the rest with what it needs."""
    text = inspect.getdoc(operation.endpoint) or ""
    summary, _, rest = text.partition("\n\n")
    paragraphs = [" ".join(paragraph.split()) for paragraph in rest.split("\n\n") if paragraph]
    needs = _SCOPES.get(operation.scope, f"Needs the scope `{operation.scope.value}`.")
    return " ".join(summary.split()).removesuffix("."), "\n\n".join((*paragraphs, needs))


def _parameters(route: ApiRoute) -> list[Any]:
    names = ["IdempotencyKey", "RequestID"] if route.operation.is_write else ["RequestID"]
    if route.operation.stream:
        names.append("LastEventID")
    if route.operation.needs_key:
        names[0] = "RequiredIdempotencyKey"
    headers = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    return [*map(_path_parameter, route.operation.ids), *query_parameters(route.query), *headers]


def _path_parameter(name: str) -> Schema:
    resource = name.removesuffix("_id")
    description, schema = _IDS.get(name, (f"The {resource}'s id", {"type": "string", "pattern": ID_PATTERN}))
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": SHOWN_IDS[name],
    }

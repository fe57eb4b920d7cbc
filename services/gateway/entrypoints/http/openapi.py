"""The OpenAPI 3.1 document: FastAPI's view of the requests, our own of the answers."""

from typing import Any, Final

import msgspec
from fastapi.openapi.utils import get_openapi

from services.gateway.domain.access import Scope
from services.gateway.domain.errors import CATALOGUE
from services.gateway.entrypoints.http.public import VERSION
from services.gateway.entrypoints.http.routing import ApiRoute, Operation

_REF: Final = "#/components/schemas/{name}"
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id", "doc_url", "retryable"],
            "properties": {
                "code": {"type": "string", "enum": sorted(CATALOGUE)},
                "message": {"type": "string"},
                "details": {"type": "object"},
                "request_id": {"type": "string"},
                "doc_url": {"type": "string"},
                "retryable": {"type": "boolean"},
            },
        }
    },
}
_PAGINATION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["has_more", "next_cursor"],
    "properties": {"has_more": {"type": "boolean"}, "next_cursor": {"type": ["string", "null"]}},
}
_HEADERS: Final = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "X-Request-ID": "The request's id: its own, or one we made",
        "X-Idempotency-Key": "The Idempotency-Key, when one was applied",
        "X-RateLimit-Limit": "Requests allowed in a window",
        "X-RateLimit-Remaining": "Requests left in this window",
        "X-RateLimit-Reset": "Unix second at which the window ends",
    }.items()
}
_IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeating the request with the same key returns the first answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}


def document(routes: list[ApiRoute]) -> bytes:
    """Write the document as JSON."""
    replies = sorted({route.operation.reply for route in routes if route.operation.reply}, key=lambda reply: reply.__name__)
    schemas, components = msgspec.json.schema_components(replies, ref_template=_REF)
    shapes = dict(zip(replies, schemas, strict=True))
    whole = get_openapi(
        title="OFFER-HUB",
        version=VERSION,
        summary="Escrow and payments orchestration for marketplaces",
        routes=routes,
        separate_input_output_schemas=False,
    )
    parts = whole.setdefault("components", {})
    kept = {name: schema for name, schema in parts.get("schemas", {}).items() if "ValidationError" not in name}
    parts["schemas"] = {**kept, **components, "Error": _ERROR, "Pagination": _PAGINATION}
    parts["securitySchemes"] = {"ApiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "ohk_live_…"}}
    for route in routes:
        _finish(whole["paths"][route.path][route.operation.method.lower()], route.operation, shapes)
    return msgspec.json.encode(whole)


def _finish(entry: dict[str, Any], operation: Operation, shapes: dict[type[msgspec.Struct], dict[str, Any]]) -> None:
    entry["responses"] = {
        str(operation.status): {
            "description": "Done",
            "headers": _HEADERS,
            "content": {"application/json": {"schema": _envelope(operation, shapes)}},
        },
        **{str(status): _failure(status) for status in _statuses(operation)},
    }
    if operation.path == "/users" and operation.method == "POST":
        entry["responses"]["200"] = {**entry["responses"]["201"], "description": "The external id was known"}
    if operation.scope is not Scope.PUBLIC:
        entry["security"] = [{"ApiKey": []}]
        entry["x-required-scope"] = operation.scope.value
    if operation.method != "GET":
        entry.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        if "requestBody" in entry:
            model = entry["requestBody"]["content"]["application/json"]["schema"]
            entry["requestBody"] = {"content": {"application/json": {"schema": model}}, "required": False}


def _envelope(operation: Operation, shapes: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    item = shapes[operation.reply] if operation.reply else {"type": "object"}
    if not operation.is_list:
        return {"type": "object", "required": ["data"], "properties": {"data": item}}
    pagination = {"$ref": _REF.format(name="Pagination")}
    properties = {"data": {"type": "array", "items": item}, "pagination": pagination}
    return {"type": "object", "required": ["data", "pagination"], "properties": properties}


def _statuses(operation: Operation) -> list[int]:
    wanted = {400, 429, 500, 503}
    if operation.scope is not Scope.PUBLIC:
        wanted |= {401, 403}
    if "{" in operation.path:
        wanted.add(404)
    if operation.method != "GET":
        wanted |= {404, 408, 409, 413, 415, 422, 504}
    return sorted(wanted)


def _failure(status: int) -> dict[str, Any]:
    codes = ", ".join(sorted(code for code, problem in CATALOGUE.items() if problem.status == status))
    schema = {"$ref": _REF.format(name="Error")}
    return {"description": codes, "headers": _HEADERS, "content": {"application/json": {"schema": schema}}}

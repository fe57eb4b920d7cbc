"""What an operation can answer, status by status, with an example of each code."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.error_pages import DOCS, answer
from services.gateway.entrypoints.http.examples_of_ours import SHOWN
from services.gateway.entrypoints.http.routing import Operation, error_codes
from services.gateway.entrypoints.http.schemas import Schema, ref

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
_ALWAYS: Final = ("X-Request-ID", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_NOTICE: Final = ("Deprecation", "Sunset", "Link")
_WAITS: Final = frozenset(
    {"IDEMPOTENCY_KEY_IN_PROGRESS", "RATE_LIMITED", "SERVICE_UNAVAILABLE", "NOT_EXECUTED", "OUTCOME_UNKNOWN"}
)
"""Errors that say how long to wait."""
_ERROR: Final[Schema] = {
    "type": "object",
    "description": "What every error looks like. Build on `code`, `details` and `retryable`; the message is for people.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "request_id", "doc_url", "retryable"],
            "properties": {
                "code": {
                    "type": "string",
                    "pattern": "^[A-Z]+(_[A-Z]+)*$",
                    "description": f"What went wrong; {DOCS} lists all. New codes may come: go by the status then.",
                    "examples": list(CATALOGUE),
                },
                "message": {"type": "string"},
                "details": {"type": "object", "description": "What the code's own page says"},
                "request_id": {"type": "string", "description": "What to name when you ask about it"},
                "doc_url": {"type": "string", "format": "uri-reference", "description": "A page with cause, example and fix"},
                "retryable": {"type": "boolean", "description": "Whether the same request can succeed later"},
            },
        }
    },
}
_PAGINATION: Final[Schema] = {
    "type": "object",
    "required": ["has_more", "next_cursor"],
    "properties": {
        "has_more": {"type": "boolean"},
        "next_cursor": {"type": ["string", "null"], "description": "The `cursor` of the next page, null on the last one"},
    },
}


def _header(description: str, **schema: Any) -> Schema:  # noqa: ANN401 - JSON Schema
    return {"description": description, "schema": schema}


_HEADERS: Final = {
    "X-Request-ID": _header("The request's id: the one it came with, or one we made", type="string"),
    "X-RateLimit-Limit": _header("How many requests a minute takes; absent where nothing is counted", type="integer"),
    "X-RateLimit-Remaining": _header("How many are left in this minute", type="integer", minimum=0),
    "X-RateLimit-Reset": _header("The Unix second at which the next minute begins", type="integer"),
    "X-Idempotency-Key": _header("The Idempotency-Key, when one was applied", type="string"),
    "Idempotency-Replay": _header(
        "There when this is the answer to an earlier request with the same key", type="string", const="true"
    ),
    "Retry-After": _header("How many seconds to wait", type="integer", minimum=1),
    "WWW-Authenticate": _header("How to authenticate", type="string", const="Bearer"),
    "Deprecation": _header("Since when the operation should not be used any more (RFC 9745)", type="string", pattern=r"^@\d+$"),
    "Sunset": _header("When the operation ends (RFC 8594)", type="string"),
    "Link": _header("Where it is told what to use instead", type="string"),
}


def components(operations: Sequence[Operation]) -> dict[str, dict[str, Any]]:
    """Return what the responses of these operations refer to."""
    codes = {code for operation in operations for code in error_codes(operation)}
    shared = {_name(some): _failure(some) for operation in operations for _, some in _by_status(operation)}
    return {
        "schemas": {"Error": _ERROR, "Pagination": _PAGINATION},
        "responses": dict(sorted(shared.items())),
        "headers": _HEADERS,
        "examples": {
            code: {"summary": problem.message, "value": answer(code)} for code, problem in CATALOGUE.items() if code in codes
        },
    }


def responses(operation: Operation) -> dict[str, Schema]:
    """Describe every answer of an operation, by its status."""
    found = {str(status): _success(operation, status) for status in (operation.status, *operation.also)}
    for status, codes in _by_status(operation):
        if str(status) in found:
            found[str(status)] = _either(found[str(status)], _failure(codes))
        elif operation.deprecated is None:
            found[str(status)] = {"$ref": f"#/components/responses/{_name(codes)}"}
        else:
            found[str(status)] = _failure(codes, *_NOTICE)
    return dict(sorted(found.items()))


def _name(codes: list[str]) -> str:
    """Name the response that is shared by all operations with the same errors of a status."""
    return "-".join(codes)


def _either(answered: Schema, failed: Schema) -> Schema:
    """Describe a status that can come with the resource or with an error."""
    content, other = answered["content"][JSON], failed["content"][JSON]
    examples = {"answered": {"summary": "The answer", "value": content["example"]}, **other["examples"]}
    both = {"schema": {"anyOf": [content["schema"], other["schema"]]}, "examples": examples}
    return failed | {"content": {JSON: both}}


def _by_status(operation: Operation) -> Iterator[tuple[int, list[str]]]:
    codes = error_codes(operation)
    for status in sorted({CATALOGUE[code].status for code in codes}):
        yield status, [code for code in codes if CATALOGUE[code].status == status]


def _success(operation: Operation, status: int) -> Schema:
    schema, example = _envelope(operation)
    description = "Done" if operation.is_write else "Found"
    if status == HTTPStatus.CREATED:
        description = "Made"
    elif status in operation.also:
        description = "It was there already"
    repeats = ("X-Idempotency-Key", "Idempotency-Replay") if operation.is_write else ()
    notice = () if operation.deprecated is None else _NOTICE
    content: dict[str, Schema] = {JSON: {"schema": schema, "example": example}}
    if operation.stream:
        content[EVENTS] = {"schema": {"type": "string", "description": "Server-Sent Events"}, "example": operation.stream}
    return {"description": description, "headers": _headers(*repeats, *notice), "content": content}


def _envelope(operation: Operation) -> tuple[Schema, Any]:
    assert operation.reply is not None  # noqa: S101 - told to the type checker; others are not described
    item: Schema = ref(operation.reply.__name__)
    shown: Any = SHOWN[operation.reply] if operation.shown is None else operation.shown
    if not operation.is_list:
        return {"type": "object", "required": ["data"], "properties": {"data": item}}, {"data": shown}
    properties = {"data": {"type": "array", "items": item}, "pagination": ref("Pagination")}
    schema = {"type": "object", "required": ["data", "pagination"], "properties": properties}
    return schema, {"data": [shown], "pagination": {"has_more": False, "next_cursor": None}}


def _failure(codes: list[str], *extra: str) -> Schema:
    lines = [f"- [`{code}`]({DOCS}/{code}): {CATALOGUE[code].message}" for code in codes]
    wait = ["Retry-After"] if _WAITS & set(codes) else []
    challenge = ["WWW-Authenticate"] if "UNAUTHORIZED" in codes else []
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    return {
        "description": "\n".join(lines),
        "headers": _headers(*wait, *challenge, *extra),
        "content": {JSON: {"schema": ref("Error"), "examples": examples}},
    }


def _headers(*extra: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *extra)}

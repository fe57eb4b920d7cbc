"""The API breaks nobody: its document may only grow against the last released one, until its major version changes.

When a release is cut, `python -m tests.contract.test_api_changes` makes today's document the released one.
"""

import copy
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from libs.common.kernel.clock import SystemClock
from tests.contract.test_generated import DOCS, printed
from tests.support.api_changes import breaking_changes
from tests.support.api_document import api_document

RELEASED = DOCS / "openapi.released.json"
TODAY = date(2026, 6, 1)
Json = dict[str, Any]

OLD: Json = {
    "info": {"version": "1.0.0"},
    "paths": {
        "/things": {
            "get": {
                "x-required-scope": "read",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100, "default": 20}},
                    {"name": "state", "in": "query", "schema": {"type": "string", "enum": ["OPEN", "SHUT"]}},
                    {"$ref": "#/components/parameters/RequestID"},
                ],
                "responses": {
                    "200": {
                        "headers": {"X-Request-ID": {}},
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["data"],
                                    "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}},
                                }
                            }
                        },
                    },
                    "404": {"description": "none"},
                },
            }
        },
        "/things/{id}": {
            "post": {
                "x-required-scope": "write",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}},
                },
                "responses": {"201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}},
            },
            "delete": {
                "deprecated": True,
                "x-sunset": "2026-06-01",
                "responses": {"200": {"content": {"application/json": {"schema": {}}}}},
            },
        },
    },
    "components": {
        "parameters": {"RequestID": {"name": "X-Request-ID", "in": "header", "schema": {"type": "string"}}},
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "state", "note"],
                "properties": {
                    "id": {"type": "string", "pattern": "^thg_"},
                    "state": {"type": "string", "enum": ["OPEN", "SHUT"]},
                    "note": {"type": ["string", "null"]},
                    "parts": {"type": "array", "items": {"anyOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]}},
                },
            },
            "NewThing": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 255},
                    "colour": {"type": ["string", "null"], "enum": ["red", "blue", None]},
                    "amount": {"type": "string", "pattern": "^[0-9]+$"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


GONE = object()
ROOTS: dict[str, tuple[str, ...]] = {
    "GET": ("paths", "/things", "get"),
    "POST": ("paths", "/things/{id}", "post"),
    "DELETE": ("paths", "/things/{id}", "delete"),
    "Thing": ("components", "schemas", "Thing"),
    "NewThing": ("components", "schemas", "NewThing"),
}
"""What the first word of a place stands for."""

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
PARAMETERS = OLD["paths"]["/things"]["get"]["parameters"]
EXTRA = {"name": "x", "in": "query", "schema": {}}
THING, MADE = OLD["components"]["schemas"]["Thing"], OLD["paths"]["/things/{id}"]["post"]["responses"]["201"]


def changed(place: str, value: Any, document: Json = OLD) -> Json:
    """A document with another value in one place; GONE takes it away."""
    new = copy.deepcopy(document)
    root, *rest = place.split(" ")
    *steps, last = (*ROOTS.get(root, (root,)), *rest)
    found: Any = new
    for step in steps:
        found = found[int(step) if isinstance(found, list) else step]
    if value is GONE:
        del found[last]
    else:
        found[last] = value
    return new


BREAKS = [
    # what, place, new value, complaint
    ("an operation is removed", "paths /things get", GONE, "GET /things is gone"),
    ("a field of an answer is removed", "Thing properties note", GONE, "GET /things: 200.data[].note: no longer has it"),
    ("a field of an answer is renamed", "Thing properties", {"remark": TEXT}, "POST /things/{}: 201.note: no longer has it"),
    ("a field of an answer may be missing", "Thing required", ["id", "state"], "201.note: may be missing now"),
    ("a field of an answer may be null", "Thing properties id type", ["string", "null"], "201.id: may be null"),
    ("a field of an answer changes its type", "Thing properties id type", "integer", "201.id: may be integer"),
    ("a field of an answer has no type", "Thing properties id type", GONE, "201.id: may be anything"),
    ("the enum of an answer is widened", "Thing properties state enum", ["OPEN", "SHUT", "LOST"], "201.state: may be LOST now"),
    ("the enum of an answer is opened", "Thing properties state enum", GONE, "201.state: may be anything now"),
    ("the form of an answer changes", "Thing properties id pattern", "^t_", "201.id: another pattern"),
    ("an answer holds other things", "Thing properties parts items", {"anyOf": [NUMBER]}, "parts[]: may be integer"),
    ("a success has another status", "POST responses", {"200": MADE}, "no longer answers 201"),
    ("a success has one more status", "POST responses", {"201": MADE, "202": MADE}, "answers 202 now"),
    ("a header is no longer sent", "GET responses 200 headers", GONE, "no longer has the header X-Request-ID"),
    ("a field of a request is required", "NewThing required", ["name", "tags"], "the body.tags: required now"),
    ("a new field of a request is required", "NewThing required", ["name", "size"], "the body.size: required now"),
    ("a field of a request is removed", "NewThing properties tags", GONE, "the body.tags: no longer takes it"),
    ("the enum of a request is narrowed", "NewThing properties colour enum", ["blue", None], "no longer takes red"),
    ("a field of a request becomes an enum", "NewThing properties name enum", ["a"], "no longer takes other values"),
    ("a field of a request changes its type", "NewThing properties name type", "integer", "is no longer string"),
    ("a field of a request can't be null", "NewThing properties colour type", "string", "is no longer null"),
    ("the items of a request change", "NewThing properties tags items", NUMBER, "the body.tags[]: is no longer string"),
    ("the form of a request changes", "NewThing properties amount pattern", "^[0-9]$", "another pattern"),
    ("a field of a request gets a form", "NewThing properties name format", "email", "another format"),
    ("a field of a request must be shorter", "NewThing properties name maxLength", 100, "maxLength is 100 instead of 255"),
    ("a field of a request must be longer", "NewThing properties name minLength", 2, "minLength is 2 instead of None"),
    ("a body is required", "POST requestBody required", True, "requires a body"),
    ("a body is no longer taken", "POST requestBody", GONE, "no longer takes a body"),
    ("a parameter is removed", "GET parameters", PARAMETERS[:1], "no longer takes the parameter state"),
    ("a header is no longer taken", "GET parameters", PARAMETERS[:2], "no longer takes the header X-Request-ID"),
    ("a parameter is required", "GET parameters 1 required", True, "requires the parameter state"),
    ("a new parameter is required", "GET parameters", [*PARAMETERS, EXTRA | {"required": True}], "requires the parameter x"),
    ("a bound of a parameter is lowered", "GET parameters 0 schema maximum", 50, "maximum is 50 instead of 100"),
    ("a default changes", "GET parameters 0 schema default", 10, "left out it means 10 instead of 20"),
    ("the scope is raised", "GET x-required-scope", "support", "needs the scope support instead of read"),
    ("what was public is not", "DELETE x-required-scope", "any", "needs the scope any instead of public"),
]
GROWTH = [
    ("an operation is added", "paths /others", {"get": OLD["paths"]["/things"]["get"]}),
    ("a field of an answer is added", "Thing properties size", NUMBER),
    ("a field of an answer is always there", "Thing required", ["id", "state", "note", "parts"]),
    ("a field of an answer is never null", "Thing properties note type", "string"),
    ("the enum of an answer is narrowed", "Thing properties state enum", ["OPEN"]),
    ("an optional field of a request is added", "NewThing properties size", NUMBER),
    ("a field of a request is optional", "NewThing required", []),
    ("the enum of a request is widened", "NewThing properties colour enum", ["red", "blue", "green", None]),
    ("a field of a request may be null", "NewThing properties name type", ["string", "null"]),
    ("a bound of a request is raised", "NewThing properties name maxLength", 500),
    ("the form of a request is dropped", "NewThing properties amount pattern", GONE),
    ("unknown fields are taken", "NewThing additionalProperties", True),
    ("an optional parameter is added", "GET parameters", [*PARAMETERS, EXTRA]),
    ("an error is added", "GET responses 409", {}),
    ("an error is gone", "GET responses 404", GONE),
    ("the scope is lowered", "GET x-required-scope", "any"),
    ("words change", "Thing properties id description", "an id"),
    ("an operation goes when its day has come", "DELETE", GONE),
    ("nothing changes", "Thing type", "object"),
]


@pytest.mark.parametrize(("place", "value", "complaint"), [pytest.param(*row[1:], id=row[0]) for row in BREAKS])
def test_what_breaks_a_client_is_noticed(place: str, value: Any, complaint: str) -> None:
    found = breaking_changes(OLD, changed(place, value), today=TODAY)
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(("place", "value"), [pytest.param(*row[1:], id=row[0]) for row in GROWTH])
def test_what_only_grows_is_let_pass(place: str, value: Any) -> None:
    assert breaking_changes(OLD, changed(place, value), today=TODAY) == []


def test_a_path_may_name_its_parameters_otherwise() -> None:
    new = copy.deepcopy(OLD)
    new["paths"]["/things/{thing_id}"] = new["paths"].pop("/things/{id}")
    assert breaking_changes(OLD, new, today=TODAY) == []


def test_before_its_day_a_deprecated_operation_stays() -> None:
    assert breaking_changes(OLD, changed("DELETE", GONE), today=date(2026, 5, 31)) == ["DELETE /things/{} is gone"]


@pytest.mark.parametrize(("version", "excuses"), [("2.0.0", True), ("1.9.0", False), ("1.0.0", False)])
def test_only_a_new_major_version_excuses_a_break(version: str, excuses: bool) -> None:  # noqa: FBT001
    new = changed("info version", version, changed("paths", {}))
    assert (breaking_changes(OLD, new, today=TODAY) == []) is excuses


def test_the_api_breaks_no_client_of_the_last_release() -> None:
    released = json.loads(RELEASED.read_text())
    found = breaking_changes(released, api_document(), today=SystemClock().now().date())
    assert found == [], "see docs/versioning.md: keep the old beside the new, and deprecate it"


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        ("components schemas Order properties amount", GONE, "GET /api/v1/orders/{}: 200.data.amount: no longer has it"),
        ("components schemas Escrow properties status enum", ["LOST"], "200.data.status: may be LOST now"),
        ("components schemas NewOrder required", ["currency"], "POST /api/v1/orders: the body.currency: required now"),
        ("paths /api/v1/me", GONE, "GET /api/v1/me is gone"),
        ("webhooks order.closed", GONE, "the event order.closed is gone"),
        ("components schemas OrderEvent properties amount", GONE, "the event order.closed.data.amount: no longer has it"),
    ],
)
def test_a_break_of_the_real_document_is_noticed(place: str, value: Any, complaint: str) -> None:
    found = breaking_changes(api_document(), changed(place, value, api_document()), today=TODAY)
    assert any(complaint in line for line in found), found


def record(path: Path = RELEASED) -> None:
    """Make today's document the released one."""
    path.write_text(printed(api_document()))


if __name__ == "__main__":
    record()
    sys.stdout.write(f"{RELEASED.name} is today's document\n")

"""The API's document as a client reads it: validators for its schemas, and a check that real answers are what it says."""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from services.gateway.app import build_api
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute

JSON: Final = "application/json"
_METHODS: Final = {"get", "post", "patch", "put", "delete"}


class Described(NamedTuple):
    """An operation of the document."""

    method: str
    path: str
    entry: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@cache
def routes() -> list[ApiRoute]:
    """Every route of the gateway."""
    return [route for route in build_api().router.routes if isinstance(route, ApiRoute)]


@cache
def api_document() -> dict[str, Any]:
    """The document of the code as it stands."""
    read: dict[str, Any] = json.loads(document(routes()))
    return read


@cache
def operations() -> list[Described]:
    """Every operation that is described."""
    paths = api_document()["paths"].items()
    return [Described(method, path, entry) for path, entries in paths for method, entry in entries.items() if method in _METHODS]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if this is one."""
    if "$ref" not in part:
        return part
    found: Any = api_document()
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return resolved(found)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Check values against a schema of the document, formats included."""
    return _validator(json.dumps(schema))


@cache
def _validator(schema: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource("urn:api", DRAFT202012.create_resource(api_document()))
    return Draft202012Validator(
        json.loads(schema.replace('"#/', '"urn:api#/')), registry=registry, format_checker=FormatChecker()
    )


async def check_conforms(response: httpx.Response) -> None:
    """Fail unless an answer is one that the document promises: its status, its error code, and the shape of its body.

    Made to be a response hook of an httpx client, so that every answer of a story is compared.
    """
    if not response.headers.get("content-type", "").startswith(JSON) or response.request.method == "HEAD":
        return
    await response.aread()
    if response.request.method == "HEAD":
        return
    body, described = response.json(), _find(response.request.method, response.request.url.path)
    if described is None:  # nothing is there, or a test has put it there
        return
    promised = described.entry["responses"].get(str(response.status_code))
    assert promised is not None, f"{described} answered {response.status_code}, which is not documented: {response.text}"
    content = resolved(promised)["content"][JSON]
    problems = [f"{error.json_path}: {error.message}" for error in validator(content["schema"]).iter_errors(body)]
    assert not problems, f"{described} answered {response.status_code} {response.text}, but {problems}"
    if "error" in body:
        assert body["error"]["code"] in content["examples"], f"{described} does not document {body['error']['code']}"


COMPARED: Final[dict[str, list[Callable[..., Any]]]] = {"response": [check_conforms]}
"""Event hooks of a client whose every answer must be one that the document promises."""


@cache
def _find(method: str, path: str) -> Described | None:
    for described in operations():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(described.path))
        if described.method == method.lower() and re.fullmatch(pattern, path):
            return described
    return None

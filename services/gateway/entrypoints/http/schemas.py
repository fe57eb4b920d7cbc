"""JSON Schemas of what the API takes and answers: pydantic's of the requests, msgspec's of the answers, told in one way."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from pydantic.json_schema import models_json_schema

from services.gateway.entrypoints.http.fields import Fields

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{}"
_OURS: Final = frozenset({"id", "status", "final_status", "hint", "key", "signing_key"})
"""Fields that only we write, beside the instants."""
_CAMEL: Final = "The camelCase spelling of each field is accepted too; a field that is not named here is refused."


def ref(name: str) -> Schema:
    """Point to a component."""
    return {"$ref": _REF.format(name)}


def body_schemas(models: Iterable[type[Fields]]) -> dict[str, Schema]:
    """Describe what bodies hold, and the parts that they are made of, by name."""
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF.format("{model}"), union_format="primitive_type_array"
    )
    schemas: dict[str, Schema] = found.get("$defs", {})
    return {name: _body(schema) for name, schema in sorted(schemas.items())}


def reply_schemas(replies: Iterable[type[msgspec.Struct]]) -> dict[str, Schema]:
    """Describe what answers hold, and the parts that they are made of, by name."""
    _, schemas = msgspec.json.schema_components(replies, ref_template=_REF.format("{name}"))
    return {name: _reply(schema) for name, schema in sorted(schemas.items())}


def query_parameters(model: type[Fields]) -> list[Schema]:
    """Describe the parameters of a query, one by one."""
    schema = model.model_json_schema(union_format="primitive_type_array")
    return [_parameter(name, field) for name, field in schema.get("properties", {}).items()]


def _parameter(name: str, field: Schema) -> Schema:
    told = _plain(field)
    description = told.pop("description", "")
    kinds = told.get("type")
    if isinstance(kinds, list):  # null can't be written in a query: the parameter is left out
        told["type"] = next(kind for kind in kinds if kind != "null")
    if "enum" in told:
        told["enum"] = [value for value in told["enum"] if value is not None]
    return {"name": name, "in": "query", "required": False, "description": description, "schema": told}


def _body(schema: Schema) -> Schema:
    told = _plain(schema)
    told["description"] = f"{told.get('description', '')} {_CAMEL}".strip()
    for name, field in told.get("properties", {}).items():
        told["properties"][name] = _plain(field)
    return told


def _reply(schema: Schema) -> Schema:
    told = _plain(schema)
    properties = told.get("properties", {})
    for name, field in properties.items():
        properties[name] = _plain(field)
        if name in _OURS or name.endswith("_at"):
            properties[name]["readOnly"] = True
    return told


def _plain(schema: Schema) -> Schema:
    """Leave out titles and defaults that say nothing, and write `x or null` as one schema where that is possible."""
    told = {name: value for name, value in schema.items() if name != "title" and (name, value) != ("default", None)}
    options = told.get("anyOf", ())
    if len(options) == 2 and {"type": "null"} in options:  # noqa: PLR2004 - a thing or null
        [other] = [option for option in options if option != {"type": "null"}]
        if "$ref" not in other and isinstance(other.get("type"), str):
            told.pop("anyOf")
            told = {**other, **told, "type": [other["type"], "null"]}
            if "enum" in told:
                told["enum"] = [*told["enum"], None]
    if "description" in told:
        told["description"] = " ".join(told["description"].split())
    return told


def walk(schema: Any) -> Iterator[Schema]:  # noqa: ANN401 - any part of a document
    """Yield every object of a document, the outermost first."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from walk(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from walk(value)

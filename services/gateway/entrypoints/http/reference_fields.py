"""Schemas as people read them: a line for each field with its type, what it must be, and what it means."""

from collections.abc import Iterator
from typing import Final

from services.gateway.entrypoints.http.html import escape, prose
from services.gateway.entrypoints.http.schemas import Schema

_FORMATS: Final = {"date-time": "instant", "date": "date", "uri": "URL"}
_LIMITS: Final = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "of them"),
    ("minProperties", "maxProperties", "keys"),
    ("minimum", "maximum", ""),
)
"""Bounds of a value, and what they count."""
_ANY: Final = 10**12
"""A bound above this is there for machines."""


def fields(schema: Schema) -> str:
    """Show the fields of an object: which ones a request must have, and which ones an answer may lack."""
    required = set(schema.get("required", ()))
    if schema.get("additionalProperties") is False:
        marks = dict.fromkeys(required, "required")
    else:
        marks = dict.fromkeys(schema.get("properties", {}).keys() - required, "may be missing")
    lines = [_line(name, field, marks.get(name, "")) for name, field in schema.get("properties", {}).items()]
    return f'<dl class="fields">{"".join(lines)}</dl>' if lines else ""


def parameters(found: list[Schema]) -> str:
    """Show the parameters of a path, a query or a delivery."""
    lines = [_line(item["name"], {"description": item["description"], **item["schema"]}, "") for item in found]
    return f'<dl class="fields">{"".join(lines)}</dl>' if lines else ""


def kind(schema: Schema) -> str:
    """Name the type of a schema, with a link to the resource if it is one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema and "type" not in schema:
        return " or ".join(kind(option) for option in schema["anyOf"])
    types = schema.get("type", "any")
    return " or ".join(_named(one, schema) for one in ([types] if isinstance(types, str) else types))


def _named(one: str, schema: Schema) -> str:
    if one == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if one == "object" and "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
        return f"object of {kind(schema['additionalProperties'])}"
    if one == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if one == "string" and "anyOf" in schema:
        return " or ".join(_FORMATS.get(option.get("format", ""), "string") for option in schema["anyOf"])
    return one


def _line(name: str, field: Schema, mark: str) -> str:
    about = " · ".join((kind(field), *map(escape, _bounds(field))))
    needed = f' <span class="needed">{mark}</span>' if mark else ""
    told = f"<p>{prose(field['description'])}</p>" if field.get("description") else ""
    values = [value for value in field.get("enum") or field.get("items", {}).get("enum") or () if value is not None]
    choices = f"<p>{' '.join(f'<code>{escape(value)}</code>' for value in values)}</p>" if values else ""
    explained = f"<dd>{told}{choices}</dd>" if told or choices else ""
    return f'<dt><code>{escape(name)}</code> <span class="kind">{about}</span>{needed}</dt>{explained}'


def _bounds(field: Schema) -> Iterator[str]:
    for lower, upper, what in _LIMITS:
        low, high = field.get(lower), field.get(upper)
        high = None if high is not None and high > _ANY else high
        if low is not None and high is not None:
            yield f"{low} to {high:,} {what}".rstrip()
        elif low is not None or high is not None:
            yield f"{f'at least {low}' if high is None else f'at most {high:,}'} {what}".rstrip()
    if field.get("default") not in (None, "", [], {}):
        default = field["default"]
        yield f"{str(default).lower() if isinstance(default, bool) else default} if left out"

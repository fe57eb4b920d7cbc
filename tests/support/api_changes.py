"""What of an API's document would break a client that was written for an older one.

Two directions: what a client sends must still be accepted, so requests may only become wider; what it gets must be what it
was promised, so answers may only become narrower. What can't be decided, such as whether one pattern covers another, breaks.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final, Literal

Json = dict[str, Any]
Direction = Literal["in", "out"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_JSON: Final = "application/json"
_DEPTH_MAX: Final = 12
_BY_STRICTNESS: Final = {"public": 0, "any": 1}
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaking_changes(old: Json, new: Json, *, today: date) -> list[str]:
    """Name what breaks a client of `old`, one line each; empty when the major version has changed, or nothing breaks.

    An operation may go once the day has come that `old` announced as its sunset.
    """
    if _major(old) != _major(new):
        return []
    comparison = _Comparison(old, new)
    return [*comparison.operations(today), *comparison.events()]


def _major(document: Json) -> str:
    return str(document["info"]["version"]).partition(".")[0]


def _operations(document: Json) -> dict[str, Json]:
    """Operations by method and path; how a path names its parameters does not matter."""
    return {
        f"{method.upper()} {re.sub(r'{.+?}', '{}', path)}": entry
        for path, entries in document["paths"].items()
        for method, entry in entries.items()
        if method in _METHODS
    }


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def operations(self, today: date) -> Iterator[str]:
        kept = _operations(self._new)
        for name, before in _operations(self._old).items():
            if name in kept:
                for change in self._operation(before, kept[name]):
                    yield f"{name}: {change}"
            elif not ("x-sunset" in before and date.fromisoformat(before["x-sunset"]) <= today):
                yield f"{name} is gone"

    def events(self) -> Iterator[str]:
        """What subscribers are sent: like answers, it may only become narrower."""
        kept = self._new.get("webhooks", {})
        for name, before in self._old.get("webhooks", {}).items():
            if name not in kept:
                yield f"the event {name} is gone"
                continue
            was, now = (entry["post"]["requestBody"]["content"][_JSON]["schema"] for entry in (before, kept[name]))
            yield from self._schema("out", f"the event {name}", was, now)

    def _operation(self, before: Json, after: Json) -> Iterator[str]:
        was, now = (entry.get("x-required-scope", "public") for entry in (before, after))
        if was != now and _BY_STRICTNESS.get(now, 2) >= _BY_STRICTNESS.get(was, 2):
            yield f"needs the scope {now} instead of {was}"
        yield from self._parameters(before, after)
        yield from self._body(before, after)
        yield from self._answers(before, after)

    def _parameters(self, before: Json, after: Json) -> Iterator[str]:
        old, new = self._named(self._old, before), self._named(self._new, after)
        for key, parameter in old.items():
            if key not in new:
                yield f"no longer takes {key}"
                continue
            if new[key].get("required") and not parameter.get("required"):
                yield f"requires {key}"
            yield from self._schema("in", key, parameter["schema"], new[key]["schema"])
        yield from (f"requires {key}" for key, parameter in new.items() if parameter.get("required") and key not in old)

    @staticmethod
    def _named(document: Json, entry: Json) -> dict[str, Json]:
        parameters = [_resolved(document, parameter) for parameter in entry.get("parameters", ())]
        paths = [parameter for parameter in parameters if parameter["in"] == "path"]
        named = {f"the parameter {item['name']}": item for item in parameters if item["in"] == "query"}
        named |= {f"the header {item['name']}": item for item in parameters if item["in"] == "header"}
        return named | {f"the path's part {number}": item for number, item in enumerate(paths, 1)}

    def _body(self, before: Json, after: Json) -> Iterator[str]:
        old, new = before.get("requestBody"), after.get("requestBody")
        if old is None:
            if new is not None and new.get("required"):
                yield "requires a body"
            return
        if new is None:
            yield "no longer takes a body"
            return
        if new.get("required") and not old.get("required"):
            yield "requires a body"
        yield from self._schema("in", "the body", old["content"][_JSON]["schema"], new["content"][_JSON]["schema"])

    def _answers(self, before: Json, after: Json) -> Iterator[str]:
        old, new = before["responses"], after["responses"]
        for status in sorted(old.keys() | new.keys()):
            if not status.startswith("2"):
                continue
            if status not in new:
                yield f"no longer answers {status}"
            elif status not in old:
                yield f"answers {status} now"
            else:
                was, now = _resolved(self._old, old[status]), _resolved(self._new, new[status])
                lost = was.get("headers", {}).keys() - now.get("headers", {}).keys()
                yield from (f"{status} no longer has the header {name}" for name in sorted(lost))
                yield from self._schema("out", f"{status}", was["content"][_JSON]["schema"], now["content"][_JSON]["schema"])

    def _schema(self, way: Direction, where: str, old: Json, new: Json, depth: int = 0) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        if depth > _DEPTH_MAX or (old == new and "$ref" not in repr(old)):
            return
        if "anyOf" in old or "anyOf" in new:
            yield from self._options(way, where, old, new, depth)
            return
        yield from _types(way, where, old, new)
        yield from _enums(way, where, old, new)
        yield from _forms(way, where, old, new)
        if way == "in":
            yield from _bounds(where, old, new)
        yield from self._properties(way, where, old, new, depth)
        if "items" in old and "items" in new:
            yield from self._schema(way, f"{where}[]", old["items"], new["items"], depth + 1)

    def _options(self, way: Direction, where: str, old: Json, new: Json, depth: int) -> Iterator[str]:
        """Each old option must still be taken by one of the new ones; each new answer be one of the old ones."""
        olds, news = old.get("anyOf", [old]), new.get("anyOf", [new])
        if way == "in":
            tried = [[list(self._schema(way, where, was, now, depth + 1)) for now in news] for was in olds]
        else:
            tried = [[list(self._schema(way, where, was, now, depth + 1)) for was in olds] for now in news]
        for problems in tried:
            if all(problems):
                yield from min(problems, key=len)

    def _properties(self, way: Direction, where: str, old: Json, new: Json, depth: int) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        verb = "takes" if way == "in" else "has"
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: no longer {verb} it"
            else:
                yield from self._schema(way, f"{where}.{name}", schema, after[name], depth + 1)
        if way == "in":
            yield from (f"{where}.{name}: required now" for name in sorted(needed_after - needed_before))
            if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
                yield f"{where}: refuses unknown fields now"
        else:
            yield from (f"{where}.{name}: may be missing now" for name in sorted((needed_before - needed_after) & after.keys()))


def _resolved(document: Json, part: Json) -> Json:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = {**found, **{name: value for name, value in part.items() if name != "$ref"}}
    return part


def _types(way: Direction, where: str, old: Json, new: Json) -> Iterator[str]:
    was, now = _set(old.get("type")), _set(new.get("type"))
    if was is None and now is None:
        return
    narrower, wider = (now, was) if way == "in" else (was, now)
    if narrower is not None and (wider is None or not wider <= narrower):
        verb = "is no longer" if way == "in" else "may be"
        changed = sorted((wider or {"anything"}) - narrower)
        yield f"{where}: {verb} {' or '.join(changed)}"


def _enums(way: Direction, where: str, old: Json, new: Json) -> Iterator[str]:
    was, now = (schema.get("enum", [schema["const"]] if "const" in schema else None) for schema in (old, new))
    if way == "in" and now is not None:
        lost = ["other values"] if was is None else [value for value in was if value not in now]
        yield from (f"{where}: no longer takes {value}" for value in lost)
    if way == "out" and was is not None:
        added = ["anything"] if now is None else [value for value in now if value not in was]
        yield from (f"{where}: may be {value} now" for value in added)


def _forms(way: Direction, where: str, old: Json, new: Json) -> Iterator[str]:
    for name in ("pattern", "format"):
        binding = new.get(name) if way == "in" else old.get(name)
        if binding is not None and old.get(name) != new.get(name):
            yield f"{where}: another {name}, {new.get(name)} instead of {old.get(name)}"


def _bounds(where: str, old: Json, new: Json) -> Iterator[str]:
    checks: tuple[tuple[tuple[str, ...], Callable[[Any, Any], bool]], ...] = (
        (_LOWER, lambda was, now: was is None or now > was),
        (_UPPER, lambda was, now: was is None or now < was),
    )
    for names, is_narrower in checks:
        for name in names:
            if name in new and is_narrower(old.get(name), new[name]):
                yield f"{where}: {name} is {new[name]} instead of {old.get(name)}"
    if old.get("default") != new.get("default"):
        yield f"{where}: left out it means {new.get('default')} instead of {old.get('default')}"


def _set(types: str | list[str] | None) -> set[str] | None:
    if types is None:
        return None
    return {types} if isinstance(types, str) else set(types)

"""What to tell a caller about a field: what to write instead, and the name that was probably meant."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

_QUOTED: Final = re.compile(r"'([^']*)'")
_LENGTH_MAX: Final = 64
_ADVICE: Final = {
    "missing": "this field is required",
    "string_type": "write a string",
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "list_type": "write a list",
    "dict_type": "write an object",
    "model_type": "write an object",
    "string_too_short": "write at least {min_length} character(s)",
    "string_too_long": "write at most {max_length} characters",
    "too_short": "name at least {min_length}",
    "too_long": "name at most {max_length}",
    "string_pattern_mismatch": "write text of the form {pattern}",
}
"""Kind of pydantic's complaint → ours."""


def complaint(problem: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Turn a problem that pydantic found into an entry of `details.fields`; `names` are those the document may have.

    `message` says what to write; `allowed` is there when there are only some values to choose from.
    """
    steps = problem["loc"]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".") or "body"
    context = problem.get("ctx", {})
    if problem["type"] == "extra_forbidden":
        return {"field": path, "message": unknown("field", str(steps[-1]), names if len(steps) == 1 else ())}
    if problem["type"] == "literal_error":
        allowed = _QUOTED.findall(context["expected"])
        guess = _nearest(problem["input"], allowed)
        return {"field": path, "message": f"write one of {', '.join(allowed)}{guess}", "allowed": allowed}
    if "error" in context:
        return {"field": path, "message": str(context["error"])}
    return {"field": path, "message": _ADVICE.get(problem["type"], problem["msg"]).format_map(context)}


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """Say that there is no such field or parameter, and which one was probably meant."""
    known = sorted(names)
    if name in known:
        return "a second spelling of the same field, with a different value"
    return f"unknown {what}{_nearest(name, known)}"


def _nearest(given: object, names: Iterable[str]) -> str:
    if not isinstance(given, str) or len(given) > _LENGTH_MAX:
        return ""
    folded = {name.lower(): name for name in names}
    found = get_close_matches(given.lower(), folded, n=1)
    return f"; did you mean {folded[found[0]]}?" if found else ""

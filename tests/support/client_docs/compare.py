"""Whether an answer is like the JSON that a document prints: keys, nesting, types and values, but for what must vary."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_ELIDED: Final = ["..."]
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_NAMED: Final = re.compile(r"((?:usr|ord|esc|wth|key|evt|dsp|wh)_|ohk_(?:live|test)_)\w+")


class Mismatch(Exception):
    """The platform does not do what a document prints."""


def differences(printed: Any, actual: Any, *, given: frozenset[str] = frozenset(), at: str = "$") -> list[str]:
    """Say where an answer is not like what is printed; empty when it is.

    It may have more keys, and more items at the end of a list. Ids and keys need the same prefix, those in `given` are to be
    equal; instants need the same form; numbers the same type; a list `["..."]` stands for any items and a string that ends in
    `...` for any other. Everything else is equal.
    """
    return list(_differences(printed, actual, given, at))


def _differences(printed: Any, actual: Any, given: frozenset[str], at: str) -> Iterator[str]:
    if type(printed) is not type(actual):
        yield f"{at}: {_brief(actual)} instead of {_brief(printed)}"
    elif isinstance(printed, dict):
        for key, value in printed.items():
            if key in actual:
                yield from _differences(value, actual[key], given, f"{at}.{key}")
            else:
                yield f"{at}.{key}: missing"
    elif isinstance(printed, list):
        if len(actual) < len(printed):
            yield f"{at}: {len(actual)} items instead of {len(printed)}"
        if printed != _ELIDED:
            for number, (value, other) in enumerate(zip(printed, actual, strict=False)):
                yield from _differences(value, other, given, f"{at}[{number}]")
    elif not _is_like(printed, actual, given):
        yield f"{at}: {_brief(actual)} instead of {_brief(printed)}"


def _is_like(printed: Any, actual: Any, given: frozenset[str]) -> bool:
    if not isinstance(printed, str):
        return bool(printed == actual) or type(printed) in (int, float)
    named = _NAMED.fullmatch(printed)
    if named is not None and printed not in given:
        return _NAMED.fullmatch(actual) is not None and actual.startswith(named[1])
    if _INSTANT.fullmatch(printed):
        return _INSTANT.fullmatch(actual) is not None
    return bool(actual) if printed.endswith("...") else bool(printed == actual)


def _brief(value: Any) -> str:
    return json.dumps(value)[:200]

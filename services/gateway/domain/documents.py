"""Reading a JSON body strictly: what two parsers could understand differently is refused."""

import json
import math
import re
from typing import Any, Final

BODY_BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 32
_INTEGER_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 19
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


class DocumentError(ValueError):
    """The body is not a document we accept; the message says why, and `field` where."""

    def __init__(self, message: str, field: str = "body") -> None:
        """Complain about the body as a whole unless a field is named."""
        super().__init__(message)
        self.field = field


def read_document(body: bytes) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty object.

    Raises:
        DocumentError: invalid UTF-8 or JSON, a field twice, depth above 32, NUL or half a surrogate pair, numbers no
            database holds, or anything but an object at the top.
    """
    if not body:
        return {}
    _check_depth(body)
    try:
        document = json.loads(
            body.decode(),
            object_pairs_hook=_once_each,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_no_constant,
        )
    except UnicodeDecodeError:
        raise DocumentError("the body is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"the body is not valid JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(document, dict):
        raise DocumentError("the body must be a JSON object")
    if b"\\u" in body:
        _check_text(document)
    return document


def _check_depth(body: bytes) -> None:
    if body.count(b"{") + body.count(b"[") <= DEPTH_MAX:
        return
    depth = 0
    for match in _BRACKETS.finditer(body):
        bracket = match[0]
        if bracket in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise DocumentError(f"the body is nested deeper than {DEPTH_MAX} levels")
        elif bracket in b"]}":
            depth -= 1


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DocumentError("the field is there twice", twice)
    return found


def _integer(text: str) -> int:
    if len(text) > _DIGITS_MAX + 1 or abs(number := int(text)) > _INTEGER_MAX:
        raise DocumentError("the body holds an integer beyond 64 bits")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DocumentError("the body holds a number beyond double precision")
    return number


def _no_constant(name: str) -> float:
    raise DocumentError(f"{name} is not JSON")


def _check_text(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise DocumentError("the body holds a NUL character")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise DocumentError("the body holds half of a surrogate pair")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)

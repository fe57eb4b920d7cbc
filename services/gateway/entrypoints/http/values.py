"""How single values of bodies and queries are read; pydantic calls these, and tells the caller what a ValueError says."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from libs.common.contracts.event_filters import unknown_filters
from libs.common.kernel.ids import looks_like_id
from libs.common.kernel.metadata import problem_with
from libs.common.kernel.money import parse_amount, parse_share
from services.gateway.domain.addresses import Network, parse_network

PAGE_MAX: Final = 100
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
ENTRY: Final = re.compile(r"ent_[0-9]{1,19}(_[0-9]{1,19}){0,15}", re.ASCII)
POSITION_DIGITS: Final = 18


def _decimal(value: object) -> str:
    if not isinstance(value, str):
        message = 'write the amount as a string, for example "12.50"'
        raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def read_amount(value: object) -> int:
    """Read an amount above zero, as stroops.

    Raises:
        ValueError: it is none.
    """
    return parse_amount(_decimal(value))


def read_share(value: object) -> int:
    """Read an amount that may be zero, as stroops.

    Raises:
        ValueError: it is none.
    """
    return parse_share(_decimal(value))


def check_id(value: object) -> object:
    """Let through what looks like an id of ours.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and not looks_like_id(value):
        message = "this is not an id of ours"
        raise ValueError(message)
    return value


def read_whole(value: object) -> object:
    """Take 1.0 for 1, as JSON does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_limit(value: object) -> int:
    """Read how many items a page may have.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or _LIMIT.fullmatch(value) is None or int(value) > PAGE_MAX:
        message = f"write a whole number from 1 to {PAGE_MAX}"
        raise ValueError(message)
    return int(value)


def read_position(value: object) -> int:
    """Read the position of an event.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > POSITION_DIGITS:
        message = "write a position: a whole number from 0"
        raise ValueError(message)
    return int(value)


def read_event_names(value: object) -> object:
    """Read filters of events, separated by commas.

    Raises:
        ValueError: it is none.
    """
    names = tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value
    unknown = unknown_filters(names) if isinstance(names, tuple) else ()
    if unknown:
        message = f"there is no event {unknown[0]!r}: write names of events, family.* or *, separated by commas"
        raise ValueError(message)
    return names


def read_flag(value: object) -> object:
    """Read true or false.

    Raises:
        ValueError: it is none.
    """
    if value not in ("true", "false"):
        message = "write true or false"
        raise ValueError(message)
    return value == "true"


def check_entry(value: object) -> object:
    """Let through what looks like a cursor of a history.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str) and ENTRY.fullmatch(value) is None:
        message = "this is not a next_cursor of this list"
        raise ValueError(message)
    return value


def read_moment(value: object) -> str:
    """Read a date or an instant; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        message = "write an ISO 8601 date or instant, for example 2026-01-31 or 2026-01-31T23:59:59Z"
        raise ValueError(message)
    try:
        moment = datetime.fromisoformat(value.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        message = "there is no such day or time"
        raise ValueError(message) from None


def read_network(value: object) -> Network:
    """Read an address or a range.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str):
        message = "write an address or a range as a string"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueErrors
    return parse_network(value)


def upper(value: object) -> object:
    """Write a name in upper case."""
    return value.upper() if isinstance(value, str) else value


def check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """Let metadata through that is small and shallow enough.

    Raises:
        ValueError: it is none.
    """
    problem = problem_with(value)
    if problem is not None:
        raise ValueError(problem)
    return value

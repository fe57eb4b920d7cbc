"""The kinds of field that bodies and queries are made of, and the base they share."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from libs.common.kernel.ids import looks_like_id
from libs.common.kernel.money import parse_amount, parse_share
from services.gateway.domain.errors import ApiError

PAGE_DEFAULT: Final = 20
PAGE_MAX: Final = 100
METADATA_KEYS_MAX: Final = 50

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_ENTRY: Final = re.compile(r"ent_[0-9]{1,17}_[0-9]{1,18}_[0-9A-Za-z:_]{1,120}", re.ASCII)
_EMAIL: Final = r"^[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$"
_POSITION_DIGITS: Final = 18


def _decimal(value: object) -> str:
    if not isinstance(value, str):
        message = 'write the amount as a string, for example "12.50"'
        raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _amount(value: object) -> int:
    return parse_amount(_decimal(value))


def _share(value: object) -> int:
    return parse_share(_decimal(value))


def _id(value: object) -> object:
    if isinstance(value, str) and not looks_like_id(value):
        message = "this is not an id of ours"
        raise ValueError(message)
    return value


def _limit(value: object) -> int:
    if not isinstance(value, str) or _LIMIT.fullmatch(value) is None or int(value) > PAGE_MAX:
        message = f"write a whole number from 1 to {PAGE_MAX}"
        raise ValueError(message)
    return int(value)


def _position(value: object) -> int:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > _POSITION_DIGITS:
        message = "write a position: a whole number from 0"
        raise ValueError(message)
    return int(value)


def _entry(value: object) -> object:
    if isinstance(value, str) and _ENTRY.fullmatch(value) is None:
        message = "this is not a cursor of ours"
        raise ValueError(message)
    return value


def _instant(value: object) -> str:
    if not isinstance(value, str) or _DATE.fullmatch(value) is None:
        message = "write an ISO 8601 date or instant, for example 2026-01-31 or 2026-01-31T23:59:59Z"
        raise ValueError(message)
    try:
        moment = datetime.fromisoformat(value.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        message = "there is no such day or time"
        raise ValueError(message) from None


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _few_keys(value: object) -> object:
    if isinstance(value, dict) and len(value) > METADATA_KEYS_MAX:
        message = f"at most {METADATA_KEYS_MAX} keys"
        raise ValueError(message)
    return value


Amount = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,7})?$", "examples": ["100.00"]}),
]
"""A decimal string above zero, as stroops (10⁻⁷)."""
Share = Annotated[
    int,
    BeforeValidator(_share),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,7})?$", "examples": ["40.00"]}),
]
"""A part of a whole: like an amount, but it may be zero."""
Currency = Literal["USD", "USDC", "XLM"]
"""What a caller may write; USDC is booked as USD."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=5_000)]
Note = Annotated[str, StringConstraints(max_length=500)]
Link = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Metadata = Annotated[dict[str, Any], BeforeValidator(_few_keys)]
Id = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "examples": ["usr_01jd5x7p9w3k8m2n4q6r8s0t2v"]})]
Cursor = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "description": "next_cursor of the page before"})]
EntryCursor = Annotated[str, BeforeValidator(_entry), WithJsonSchema({"type": "string"})]
Limit = Annotated[int, BeforeValidator(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": PAGE_MAX})]
Position = Annotated[int, BeforeValidator(_position), WithJsonSchema({"type": "integer", "minimum": 0})]
Instant = Annotated[str, BeforeValidator(_instant), WithJsonSchema({"type": "string", "examples": ["2026-01-31T23:59:59Z"]})]
RequiredText = Annotated[str, StringConstraints(min_length=1, max_length=5_000)]
HttpUrl = Annotated[str, StringConstraints(max_length=2_048, pattern=r"^https?://[!-~]+$")]
Marketplace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
EventName = Annotated[str, StringConstraints(max_length=64, pattern=r"^(\*|[a-z]+\.(\*|[a-z_]+))$")]
EventList = Annotated[list[EventName], Field(min_length=1, max_length=100)]
LinkList = Annotated[list[Link], Field(max_length=20, default_factory=list)]
UserType = Annotated[Literal["BUYER", "SELLER", "BOTH"], BeforeValidator(_upper)]


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Fields(BaseModel):
    """A body or a query: snake_case, with the camelCase spelling of each name accepted, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    _camel: ClassVar[dict[str, str]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's hook
        """Spell the names the other way, once."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._camel = {camel: name for name in cls.model_fields if (camel := _camel_case(name)) != name}

    @model_validator(mode="before")
    @classmethod
    def _spell(cls, data: object) -> object:
        """Turn camelCase names into ours. A name given twice with different values stays, and is refused as unknown."""
        camel = cls._camel
        if not isinstance(data, dict) or camel.keys().isdisjoint(data):
            return data
        spelled = {name: value for name, value in data.items() if name not in camel}
        for name, value in data.items():
            if name in camel and spelled.setdefault(camel[name], value) != value:
                spelled[name] = value
        return spelled

    @classmethod
    def names(cls) -> frozenset[str]:
        """Return every accepted spelling of every field."""
        return frozenset((*cls.model_fields, *cls._camel))


class Nothing(Fields):
    """No fields at all."""


class PageQuery(Fields):
    """What every list takes."""

    limit: Limit = PAGE_DEFAULT
    cursor: Cursor | None = None


def read_fields(model: type[Fields], data: dict[str, Any]) -> Fields:
    """Check a document against its model.

    Raises:
        ApiError: VALIDATION_ERROR that names every field at fault.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise ApiError("VALIDATION_ERROR", fields=[_complaint(problem) for problem in problems]) from None


def _complaint(problem: Any) -> dict[str, str]:  # noqa: ANN401 - pydantic's ErrorDetails
    path = ""
    for step in problem["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f"{'.' if path else ''}{step}"
    if problem["type"] == "extra_forbidden":
        return {"field": path, "message": "unknown field, or a second spelling with a different value"}
    cause = problem.get("ctx", {}).get("error")
    return {"field": path or "body", "message": str(cause) if cause is not None else problem["msg"]}

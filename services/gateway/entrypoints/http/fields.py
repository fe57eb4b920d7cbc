"""The kinds of field that bodies and queries are made of, and the base they share."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from libs.common.contracts.catalog import EVENTS
from libs.common.contracts.event_filters import unknown_filters
from libs.common.kernel.ids import looks_like_id
from libs.common.kernel.metadata import KEYS_MAX, problem_with
from libs.common.kernel.money import parse_amount, parse_share
from services.gateway.domain.addresses import Network, parse_network
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.complaints import complaint

PAGE_DEFAULT: Final = 20
PAGE_MAX: Final = 100
REDACTED: Final = "[redacted]"
ID_PATTERN: Final = "^[a-z]{2,4}_[0-9A-Za-z]{1,64}$"
"""What an id of ours looks like; see `looks_like_id`."""

URL_PATTERN: Final = r"^https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-])(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$"
"""RFC 3986 without the fragment, which is never sent; what else is wrong with one the webhooks service says."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII)
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_ENTRY: Final = re.compile(r"ent_[0-9]{1,19}(_[0-9]{1,19}){0,15}", re.ASCII)
# Written out, because what counts as white space differs between those who read a pattern.
_BLANKS: Final = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_EMAIL: Final = rf"^[^@{_BLANKS}]{{1,64}}@[^@{_BLANKS}]+\.[^@{_BLANKS}]+$"
_EVENTS: Final = sorted({"*", *EVENTS, *(f"{name.partition('.')[0]}.*" for name in EVENTS)})
_POSITION_DIGITS: Final = 18


class Sensitive:
    """Marks a field whose value must not be recorded."""


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


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _limit(value: object) -> int:
    if not isinstance(value, str) or _LIMIT.fullmatch(value) is None or int(value) > PAGE_MAX:
        message = f"write a whole number from 1 to {PAGE_MAX}"
        raise ValueError(message)
    return int(value)


def read_position(value: object) -> int:
    """Read the position of an event.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > _POSITION_DIGITS:
        message = "write a position: a whole number from 0"
        raise ValueError(message)
    return int(value)


def _event_names(value: object) -> object:
    names = tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value
    unknown = unknown_filters(names) if isinstance(names, tuple) else ()
    if unknown:
        message = f"there is no event {unknown[0]!r}: write names of events, family.* or *, separated by commas"
        raise ValueError(message)
    return names


def _flag(value: object) -> object:
    if value not in ("true", "false"):
        message = "write true or false"
        raise ValueError(message)
    return value == "true"


def _entry(value: object) -> object:
    if isinstance(value, str) and _ENTRY.fullmatch(value) is None:
        message = "this is not a next_cursor of this list"
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


def _network(value: object) -> Network:
    if not isinstance(value, str):
        message = "write an address or a range as a string"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueErrors
    return parse_network(value)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _not_too_much(value: dict[str, Any]) -> dict[str, Any]:
    problem = problem_with(value)
    if problem is not None:
        raise ValueError(problem)
    return value


# Up to 899,999,999,999.9999999: what is above that and below 2^63 stroops is taken too, but no pattern says it shortly.
_DECIMAL: Final = r"([0-9]{1,11}|[0-8][0-9]{11})(\.[0-9]{1,7})?$"
Amount = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A decimal string above zero with at most seven decimals; a number is refused",
            "pattern": rf"^(?!0+(\.0+)?$){_DECIMAL}",
            "examples": ["100.00"],
        }
    ),
]
"""A decimal string above zero, as stroops (10⁻⁷)."""
Share = Annotated[
    int,
    BeforeValidator(_share),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A decimal string with at most seven decimals; it may be zero",
            "pattern": f"^{_DECIMAL}",
            "examples": ["40.00"],
        }
    ),
]
"""A part of a whole: like an amount, but it may be zero."""
Currency = Literal["USD", "USDC", "XLM"]
"""What a caller may write; USDC is booked as USD."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
SecretText = Annotated[str, StringConstraints(min_length=8, max_length=256, pattern=r"^[^\x00]*$"), Sensitive()]
"""A secret of the caller's: it is handed to its owner and never kept here."""
Text = Annotated[str, StringConstraints(max_length=5_000)]
Note = Annotated[str, StringConstraints(max_length=500)]
Link = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_not_too_much),
    WithJsonSchema({"type": "object", "maxProperties": KEYS_MAX, "description": "Your own data, given back as it came"}),
]
Id = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
Cursor = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
EntryCursor = Annotated[str, BeforeValidator(_entry), WithJsonSchema({"type": "string", "pattern": f"^{_ENTRY.pattern}$"})]
WHOLE = BeforeValidator(_whole)
"""Refuses numbers with a point, text and booleans; bounds stand before it, or the document does not show them."""
"""A whole number; to JSON 1.0 is one too."""
Limit = Annotated[int, BeforeValidator(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": PAGE_MAX})]
Position = Annotated[
    int, BeforeValidator(read_position), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**_POSITION_DIGITS - 1})
]
Instant = Annotated[
    str,
    BeforeValidator(_instant),
    WithJsonSchema(
        {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "examples": ["2026-01-31", "2026-01-31T23:59:59Z"],
        }
    ),
]
RequiredText = Annotated[str, StringConstraints(min_length=1, max_length=5_000)]
HttpUrl = Annotated[str, StringConstraints(max_length=2_048, pattern=URL_PATTERN)]
Marketplace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
AllowedIp = Annotated[
    Network, BeforeValidator(_network), WithJsonSchema({"type": "string", "examples": ["203.0.113.7", "2001:db8::/32"]})
]
"""An address or a CIDR range, IPv4 or IPv6."""
EventName = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^(\*|[a-z]+\.(\*|[a-z_]+))$"),
    WithJsonSchema({"type": "string", "enum": _EVENTS}),
]
"""An event, all of a family, or all; which there are the webhooks service says."""
EventNames = Annotated[
    tuple[str, ...],
    BeforeValidator(_event_names),
    WithJsonSchema({"type": "string", "examples": ["escrow.*,order.closed"]}),
]
"""Filters of events in a query, separated by commas."""
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
EventList = Annotated[list[EventName], Field(min_length=1, max_length=100)]
LinkList = Annotated[list[Link], Field(max_length=20, default_factory=list)]
UPPER: Final = BeforeValidator(_upper)
"""For names that may be written in lower case."""
UserType = Annotated[Literal["BUYER", "SELLER", "BOTH"], UPPER]
LEFT_OUT: Final[Any] = Field(default_factory=lambda: None)
"""For a field of a change: left out, it is not among the `given`. Null is a value like any other, and its type may refuse it."""


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _is_sensitive(annotation: object) -> bool:
    return isinstance(annotation, Sensitive) or any(map(_is_sensitive, get_args(annotation)))


class Fields(BaseModel):
    """A body or a query: snake_case, with the camelCase spelling of each name accepted, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
    _camel: ClassVar[dict[str, str]] = {}
    _sensitive: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's hook
        """Spell the names the other way, once."""
        super().__pydantic_init_subclass__(**kwargs)
        cls._camel = {camel: name for name in cls.model_fields if (camel := _camel_case(name)) != name}
        hidden = {
            name for name, field in cls.model_fields.items() if any(map(_is_sensitive, (field.annotation, *field.metadata)))
        }
        cls._sensitive = frozenset(hidden | {camel for camel, name in cls._camel.items() if name in hidden})

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

    @property
    def given(self) -> dict[str, Any]:
        """The fields that the caller wrote, by our names."""
        return self.model_dump(exclude_unset=True)

    @classmethod
    def names(cls) -> frozenset[str]:
        """Return every accepted spelling of every field."""
        return frozenset((*cls.model_fields, *cls._camel))

    @classmethod
    def without_secrets(cls, document: dict[str, Any]) -> dict[str, Any]:
        """Return a checked document as it may be recorded."""
        if cls._sensitive.isdisjoint(document):
            return document
        return {name: REDACTED if name in cls._sensitive else value for name, value in document.items()}


def example(rule: dict[str, Any] | None = None, /, **fields: Any) -> ConfigDict:  # noqa: ANN401 - JSON
    """Give a body an example, and the rule that no field can state by itself, as JSON Schema: both are for the documents."""
    return ConfigDict(json_schema_extra={"examples": [fields], **(rule or {})})


def example_of(model: type[Fields]) -> dict[str, Any]:
    """Return the example of a body; empty when it has none."""
    extra: Any = model.model_config.get("json_schema_extra") or {}
    return dict(extra.get("examples", ({},))[0])


class Nothing(Fields):
    """No fields at all."""


class PageQuery(Fields):
    """What every list takes."""

    limit: Limit = PAGE_DEFAULT
    """How many items a page has."""
    cursor: Cursor | None = None
    """Where to go on: `next_cursor` of the page before."""


def read_fields(model: type[Fields], data: dict[str, Any]) -> Fields:
    """Check a document against its model.

    Raises:
        ApiError: VALIDATION_ERROR that names every field at fault.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise ApiError("VALIDATION_ERROR", fields=[complaint(problem, model.names()) for problem in problems]) from None

"""The kinds of field that bodies and queries are made of, and the base they share."""

import re
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
from libs.common.kernel.metadata import KEYS_MAX
from services.gateway.domain.addresses import Network
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.complaints import complaint
from services.gateway.entrypoints.http.values import (
    ENTRY,
    PAGE_MAX,
    POSITION_DIGITS,
    check_entry,
    check_id,
    check_metadata,
    read_amount,
    read_event_names,
    read_flag,
    read_limit,
    read_moment,
    read_network,
    read_position,
    read_share,
    read_whole,
    upper,
)

PAGE_DEFAULT: Final = 20
REDACTED: Final = "[redacted]"
ID_PATTERN: Final = "^[a-z]{2,4}_[0-9A-Za-z]{1,64}$"
"""What an id of ours looks like; see `looks_like_id`."""

URL_PATTERN: Final = r"^https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-])(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$"
"""RFC 3986 without the fragment, which is never sent; what else is wrong with one the webhooks service says."""
# Written out, because what counts as white space differs between those who read a pattern.
_BLANKS: Final = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_EMAIL: Final = rf"^[^@{_BLANKS}]{{1,64}}@[^@{_BLANKS}]+\.[^@{_BLANKS}]+$"
_EVENTS: Final = sorted({"*", *EVENTS, *(f"{name.partition('.')[0]}.*" for name in EVENTS)})
_FILTER: Final = f" *({'|'.join(map(re.escape, _EVENTS))}) *"


class Sensitive:
    """Marks a field whose value must not be recorded."""


# Up to 899,999,999,999.9999999: what is above that and below 2^63 stroops is taken too, but no pattern says it shortly.
_DECIMAL: Final = r"([0-9]{1,11}|[0-8][0-9]{11})(\.[0-9]{1,7})?$"
Amount = Annotated[
    int,
    BeforeValidator(read_amount),
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
    BeforeValidator(read_share),
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
FactorCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Sensitive()]
"""A code of a second factor."""
SecretText = Annotated[str, StringConstraints(min_length=8, max_length=256, pattern=r"^[^\x00]*$"), Sensitive()]
"""A secret of the caller's: it is handed to its owner and never kept here."""
Text = Annotated[str, StringConstraints(max_length=5_000)]
Note = Annotated[str, StringConstraints(max_length=500)]
Link = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Metadata = Annotated[
    dict[str, Any],
    AfterValidator(check_metadata),
    WithJsonSchema({"type": "object", "maxProperties": KEYS_MAX, "description": "Your own data, given back as it came"}),
]
Id = Annotated[str, BeforeValidator(check_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
Cursor = Annotated[str, BeforeValidator(check_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
EntryCursor = Annotated[str, BeforeValidator(check_entry), WithJsonSchema({"type": "string", "pattern": f"^{ENTRY.pattern}$"})]
WHOLE = BeforeValidator(read_whole)
"""For whole numbers: to JSON 1.0 is one too. Bounds stand before it, or the document does not show them."""
Limit = Annotated[int, BeforeValidator(read_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": PAGE_MAX})]
Position = Annotated[
    int, BeforeValidator(read_position), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**POSITION_DIGITS - 1})
]
Instant = Annotated[
    str,
    BeforeValidator(read_moment),
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
    Network, BeforeValidator(read_network), WithJsonSchema({"type": "string", "examples": ["203.0.113.7", "2001:db8::/32"]})
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
    BeforeValidator(read_event_names),
    WithJsonSchema({"type": "string", "pattern": f"^{_FILTER}(,{_FILTER})*$", "examples": ["escrow.*,order.closed"]}),
]
"""Filters of events in a query, separated by commas."""
Flag = Annotated[bool, BeforeValidator(read_flag), WithJsonSchema({"type": "boolean"})]
EventList = Annotated[list[EventName], Field(min_length=1, max_length=100)]
LinkList = Annotated[list[Link], Field(max_length=20, default_factory=list)]
UPPER: Final = BeforeValidator(upper)
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

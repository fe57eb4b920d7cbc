"""What a request is answered with: the one JSON dialect of the API, put together without decoding resources."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from services.gateway.domain.api_keys import mask
from services.gateway.domain.catalogue import CATALOGUE
from services.gateway.domain.next_calls import next_calls

_UNPUBLISHED: Final = ("SERVICE_UNAVAILABLE", "RATE_LIMITED")
_UNKNOWN: Final = "OUTCOME_UNKNOWN"


class Flow(Protocol):
    """A body that comes piece by piece, for as long as it goes on."""

    patience: float
    """Seconds that the client may take to make room for a piece."""
    cut: Callable[[], None]
    """Called when it has ended and the client does not take the rest."""

    def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the pieces."""
        ...

    def end(self, reason: str) -> None:
        """Let it end soon."""
        ...

    async def close(self) -> None:
        """Give back what it holds; called once whatever happened, whether or not a piece was taken."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body. `code` names the error, if it is one."""

    status: int
    body: bytes
    code: str = ""
    retryable: bool = False
    retry_after: int = 0
    is_replay: bool = False
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    """What only this answer says, beside what every answer does; names in lower case."""
    flow: Flow | None = None
    """What follows the body, if anything does."""
    before: bytes | None = None
    """What the request changed, as it was before: for the record, not for the caller."""

    @property
    def names(self) -> str | None:
        """Read the id of the resource that a success shows, if it has one."""
        return _named.decode(self.body).data.id if self.code == "" and self.body else None

    @property
    def is_unknown(self) -> bool:
        """Tell whether something may have happened although this says otherwise."""
        return self.code in (_UNKNOWN, "INTERNAL_ERROR")

    @property
    def is_unpublished(self) -> bool:
        """Tell whether the request never left the gateway."""
        return self.code in _UNPUBLISHED


class _Id(msgspec.Struct):
    id: str | None = None


class _Named(msgspec.Struct):
    data: _Id


class _Page(msgspec.Struct):
    data: msgspec.Raw
    has_more: bool = False
    next_cursor: str | None = None


class _Pagination(msgspec.Struct):
    has_more: bool
    next_cursor: str | None


_encode = msgspec.json.encode
_named: msgspec.json.Decoder[_Named] = msgspec.json.Decoder(_Named)
_page: msgspec.json.Decoder[_Page] = msgspec.json.Decoder(_Page)


def resource(raw: bytes | msgspec.Raw, *, status: int = 200, before: bytes | msgspec.Raw | None = None) -> Answer:
    """Answer with one resource, given as JSON; `before` is what the request changed, for its record."""
    return Answer(status, b'{"data":' + bytes(raw) + b"}", before=None if before is None else bytes(before))


def page(raw: bytes | msgspec.Raw) -> Answer:
    """Answer with a list, given as the JSON of a `contracts.replies.common.Page`."""
    found = _page.decode(raw)
    tail = _encode(_Pagination(found.has_more, found.next_cursor))
    return Answer(200, b'{"data":' + bytes(found.data) + b',"pagination":' + tail + b"}")


def failure(
    code: str,
    message: str,
    details: dict[str, Any],
    *,
    request_id: str,
    docs: str,
    retry_after: int = 0,
) -> Answer:
    """Answer with an error. A refusal may say in its details that it is `retryable`, and what its `allowed_actions` are."""
    problem = CATALOGUE.get(code)
    details = dict(details)
    said = details.pop("retryable", None)
    retryable = said if isinstance(said, bool) else problem is not None and problem.retryable
    if "allowed_actions" in details:
        details["next_calls"] = next_calls(details)
    error = {
        "code": code,
        "message": message,
        "details": details,
        "request_id": request_id,
        "doc_url": f"{docs}/{code}",
        "retryable": retryable,
    }
    status = problem.status if problem is not None else 409
    headers = (("allow", ", ".join(details["allowed_methods"])),) if "allowed_methods" in details else ()
    body = mask(_encode({"error": error}).decode()).encode()
    return Answer(status, body, code, retryable, retry_after, headers=headers)

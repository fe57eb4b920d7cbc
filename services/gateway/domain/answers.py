"""What a request is answered with: the one JSON dialect of the API, put together without decoding resources."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.gateway.domain.errors import CATALOGUE

_UNPUBLISHED: Final = "SERVICE_UNAVAILABLE"
_UNKNOWN: Final = "OUTCOME_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body. `code` names the error, if it is one."""

    status: int
    body: bytes
    code: str = ""
    retryable: bool = False
    retry_after: int = 0
    is_replay: bool = False
    allow: str = ""

    @property
    def is_unknown(self) -> bool:
        """Tell whether something may have happened although this says otherwise."""
        return self.code in (_UNKNOWN, "INTERNAL_ERROR")

    @property
    def is_unpublished(self) -> bool:
        """Tell whether the request never left the gateway."""
        return self.code == _UNPUBLISHED


class _Page(msgspec.Struct):
    data: msgspec.Raw
    has_more: bool = False
    next_cursor: str | None = None


class _Pagination(msgspec.Struct):
    has_more: bool
    next_cursor: str | None


_encode = msgspec.json.encode
_page: msgspec.json.Decoder[_Page] = msgspec.json.Decoder(_Page)


def resource(raw: bytes | msgspec.Raw, *, status: int = 200) -> Answer:
    """Answer with one resource, given as JSON."""
    return Answer(status, b'{"data":' + bytes(raw) + b"}")


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
    allow: str = "",
) -> Answer:
    """Answer with an error. A refusal may say in its details that it is `retryable`."""
    problem = CATALOGUE.get(code)
    details = dict(details)
    said = details.pop("retryable", None)
    retryable = said if isinstance(said, bool) else problem is not None and problem.retryable
    error = {
        "code": code,
        "message": message,
        "details": details,
        "request_id": request_id,
        "doc_url": f"{docs}/{code}",
        "retryable": retryable,
    }
    status = problem.status if problem is not None else 409
    return Answer(status, _encode({"error": error}), code, retryable, retry_after, allow=allow)

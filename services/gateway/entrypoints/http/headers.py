"""What the gateway reads of a request's headers."""

import re
from collections.abc import Iterable
from typing import Final

from services.gateway.domain.documents import BODY_BYTES_MAX
from services.gateway.domain.errors import invalid
from services.gateway.entrypoints.http.calls import Call

_ONCE: Final = {
    b"authorization": "Authorization",
    b"content-length": "Content-Length",
    b"content-type": "Content-Type",
    b"idempotency-key": "Idempotency-Key",
    b"last-event-id": "Last-Event-ID",
    b"transfer-encoding": "Transfer-Encoding",
    b"x-request-id": "X-Request-ID",
}
"""Of two of these nobody can say which is meant: a proxy may have looked at the other one."""
_LISTS: Final = frozenset((b"accept", b"x-forwarded-for"))


_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,128}")


def read_headers(call: Call, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Put them into the call, and return X-Forwarded-For; a header that may be there once and is there twice is its fault."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in found:
                call.fault = invalid(_ONCE[name], "the header is there twice")
            found[name] = value
        elif name in _LISTS:
            found[name] = found[name] + b"," + value if name in found else value
    call.authorization = _text(found.get(b"authorization"))
    call.idempotency_key = _text(found.get(b"idempotency-key"))
    call.last_event_id = _text(found.get(b"last-event-id"))
    call.accept = found.get(b"accept", b"").decode("latin-1")
    call.content_type = found.get(b"content-type", b"").decode("latin-1")
    length = found.get(b"content-length", b"")
    call.content_length = int(length) if length.isdigit() else 0
    call.is_endless = call.content_length > BODY_BYTES_MAX or b"transfer-encoding" in found
    request_id = found.get(b"x-request-id", b"")
    if _REQUEST_ID.fullmatch(request_id) and b"ohk_" not in request_id:
        call.own_request_id = request_id.decode()
    return found.get(b"x-forwarded-for", b"").decode("latin-1")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")

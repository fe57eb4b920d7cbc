"""Reading a request's body: bounded in bytes and in time, and JSON or nothing."""

import asyncio
from typing import Final

from starlette.types import Receive

from services.gateway.domain.documents import BODY_BYTES_MAX
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.calls import Call

BODY_SECONDS: Final = 10.0


class ClientGoneError(Exception):
    """The caller hung up before its request was complete; there is nobody to answer."""


async def read_body(call: Call, receive: Receive) -> bytes:
    """Return the whole body; what is too large is never kept.

    Raises:
        ApiError: PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, UNSUPPORTED_MEDIA_TYPE. ClientGoneError: nobody is there any more.
    """
    if call.content_length > BODY_BYTES_MAX:
        raise ApiError("PAYLOAD_TOO_LARGE", limit_bytes=BODY_BYTES_MAX)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read(receive)
    except TimeoutError:
        call.is_endless = True
        raise ApiError("REQUEST_TIMEOUT") from None
    call.is_endless = False
    if body and not _is_json(call.content_type):
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", content_type=call.content_type[:100])
    return body


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise ApiError("PAYLOAD_TOO_LARGE", limit_bytes=BODY_BYTES_MAX)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.strip()
    return kind.strip() == "application/json" and charset.replace('"', "") in ("", "charset=utf-8", "charset=utf8")

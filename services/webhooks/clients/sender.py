"""The way out: one HTTP session for every delivery, kept-alive connections, no redirects, bounded in time and size."""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

RESPONSE_BYTES_KEPT: Final = 2_048
KEEPALIVE_SECONDS: Final = 4.0
"""Just below the five seconds after which Node's server closes an idle connection, so that we close it first."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: a status with the first bytes of its body, or the kind of trouble in `error`."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    body: bytes = b""


class Sender:
    """Posts bodies over one shared session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use this session; it carries the limits."""
        self._session = session

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post once and tell what came back; the receiver's trouble is an answer too, never an exception."""
        started = time.monotonic()
        status, kept, error = None, b"", None
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
                kept = await _first_bytes(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as trouble:
            # Once there is a status it stands: a receiver that said 200 and then stalls has taken the event.
            error = None if status is not None else _name(trouble)
        return Response(round((time.monotonic() - started) * 1000), status, error, kept)


@contextlib.asynccontextmanager
async def open_sender(*, connections: int, timeout_seconds: float) -> AsyncIterator[Sender]:
    """Open the session for a block; closing it drops what is under way."""
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield Sender(session)


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    """Read no more than we keep; leaving the rest unread makes the connection close, which bounds an endless answer."""
    kept = bytearray()
    while len(kept) < RESPONSE_BYTES_KEPT and (part := await response.content.read(RESPONSE_BYTES_KEPT - len(kept))):
        kept += part
    return bytes(kept)


def _name(trouble: Exception) -> str:
    """Name the trouble for the attempt log: where it happened, then the library's words for it."""
    match trouble:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError():
            kind = "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            kind = "tls"
        case aiohttp.InvalidURL() | ValueError():
            kind = "url"
        case OSError() | aiohttp.ClientConnectionError():
            kind = "connection"
        case _:
            kind = "protocol"
    return f"{kind}: {type(trouble).__name__}"

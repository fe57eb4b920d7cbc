"""The way out: one HTTP session for every delivery, kept-alive connections, no redirects, bounded in time and size."""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import aiohttp

from services.webhooks.clients.names import AddressRefusedError, CheckedResolver, LookUp, public_socket
from services.webhooks.domain.attempts import ANSWER_BYTES_KEPT
from services.webhooks.domain.endpoints import NOT_PUBLIC, url_problem
from services.webhooks.domain.signing import CHALLENGE_HEADER

KEEPALIVE_SECONDS: Final = 4.0
"""Just below the five seconds after which Node's server closes an idle connection, so that we close it first."""
NAMES_KEPT_SECONDS: Final = 10
"""For so long the addresses of a name stand, which were checked when they were looked up."""
HEADER_BYTES_MAX: Final = 4_096
HEADERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: a status with the first bytes of its body, or the kind of trouble in `error`."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    body: bytes = b""
    retry_after: str | None = None
    """The header of this name."""
    connect_ms: int | None = None
    """Of the duration, what looking the name up, connecting and TLS took; None when a connection was there, or none was made."""
    challenge: str | None = None
    """The header in which a receiver repeats ours."""


@dataclass(slots=True)
class _Connecting:
    """When a request began to connect and when it was connected, in seconds of the monotonic clock."""

    began: float | None = None
    ended: float | None = None

    @property
    def milliseconds(self) -> int | None:
        return None if self.began is None or self.ended is None else round((self.ended - self.began) * 1000)


class Sender:
    """Posts bodies over one shared session."""

    def __init__(self, session: aiohttp.ClientSession, *, allow_private: bool) -> None:
        """Use this session; it carries the limits."""
        self._session = session
        self._allow_private = allow_private

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """Post once and tell what came back; the receiver's trouble is an answer too, never an exception."""
        problem = url_problem(url, allow_private=self._allow_private)
        if problem is not None:  # it was allowed once, under another setting
            return Response(0, error=f"url: {problem.message}")
        started = time.monotonic()
        status, kept, error, retry_after, challenge = None, b"", None, None, None
        connecting = _Connecting()
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=connecting
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
                challenge = response.headers.get(CHALLENGE_HEADER)
                kept = await _first_bytes(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as trouble:
            # Once there is a status it stands: a receiver that said 200 and then stalls has taken the event.
            error = None if status is not None else _name(trouble)
        duration_ms = round((time.monotonic() - started) * 1000)
        return Response(duration_ms, status, error, kept, retry_after, connecting.milliseconds, challenge)


@contextlib.asynccontextmanager
async def open_sender(
    *,
    connections: int,
    timeout_seconds: float,
    allow_private: bool,
    look_up: LookUp,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Sender]:
    """Open the session for a block; closing it drops what is under way. Without `tls` the system's certificates are trusted."""
    connector = aiohttp.TCPConnector(
        limit=connections,
        keepalive_timeout=KEEPALIVE_SECONDS,
        resolver=CheckedResolver(look_up, allow_private=allow_private),
        ttl_dns_cache=NAMES_KEPT_SECONDS,
        socket_factory=None if allow_private else public_socket,
        ssl=tls or ssl.create_default_context(),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        max_line_size=HEADER_BYTES_MAX,
        max_field_size=HEADER_BYTES_MAX,
        max_headers=HEADERS_MAX,
        trace_configs=[_watch_connecting()],
    ) as session:
        yield Sender(session, allow_private=allow_private)


def _watch_connecting() -> aiohttp.TraceConfig:
    """Note on each request's `_Connecting` how long it took to get a connection of its own."""
    watch = aiohttp.TraceConfig()

    async def begin(_: aiohttp.ClientSession, request: SimpleNamespace, __: aiohttp.TraceConnectionCreateStartParams) -> None:
        request.trace_request_ctx.began = time.monotonic()

    async def end(_: aiohttp.ClientSession, request: SimpleNamespace, __: aiohttp.TraceConnectionCreateEndParams) -> None:
        request.trace_request_ctx.ended = time.monotonic()

    watch.on_connection_create_start.append(begin)
    watch.on_connection_create_end.append(end)
    return watch


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    """Read no more than we keep; leaving the rest unread makes the connection close, which bounds an endless answer."""
    kept = bytearray()
    while len(kept) < ANSWER_BYTES_KEPT and (part := await response.content.read(ANSWER_BYTES_KEPT - len(kept))):
        kept += part
    return bytes(kept)


def _name(trouble: Exception) -> str:
    """Name the trouble for the attempt log: where it happened, then the library's words for it."""
    if isinstance(trouble.__cause__, AddressRefusedError):
        return f"address: {NOT_PUBLIC}"
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

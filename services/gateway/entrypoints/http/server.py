"""The HTTP/1.1 server: uvicorn, made to cut no answer off, whatever is sent and whenever it is told to stop.

Closing a socket that still has something to read makes the kernel reset the connection, and a client that is reset loses what
it had not read yet: its answer. So nothing is closed before the other side is heard out (RFC 9112, 9.6).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

DRAIN_SECONDS: Final = 14.0
"""How long requests under way may take once the server stops: longer than a command's deadline."""
QUIET_SECONDS: Final = 1.0
"""How long idle connections stay open then: a request that is on its way is answered, and told that it was the last."""
IDLE_SECONDS: Final = 75
HEAD_SECONDS: Final = 10.0
HEAD_BYTES_MAX: Final = 64 * 1024
_SEPARATORS: Final = len(": \r\n")
_VERSIONS: Final = ("1.0", "1.1")
_LINGER_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.02


class _State(ServerState):
    """What all connections of a server know."""

    is_draining = False


class _Transport:
    """A transport whose `close` says goodbye first, and hears the other side out."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, hear_out: Callable[[], None]) -> None:
        self._transport = transport
        self._loop = loop
        self._hear_out = hear_out
        self._is_ending = False
        self.write = transport.write
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.close_now = transport.close
        self.abort = transport.abort

    def is_closing(self) -> bool:
        """Tell whether nothing will be written any more."""
        return self._is_ending or self._transport.is_closing()

    def close(self) -> None:
        """End our side; the connection is gone when the other side ends its own, or after 2 s."""
        if self.is_closing():
            return
        self._is_ending = True
        self._hear_out()
        self._transport.write_eof()
        self._loop.call_later(_LINGER_SECONDS, self._transport.close)


class Connection(HttpToolsProtocol):
    """One client's connection."""

    server_state: _State
    _line: _Transport
    _is_deaf = False
    """What comes now is read and forgotten: the connection ends with the answer under way."""
    _in_head = False
    _head_bytes = 0
    _head_ends_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen; whoever says nothing is treated as idle."""
        self._line = _Transport(cast("asyncio.Transport", transport), self.loop, self._hear_out)
        super().connection_made(cast("asyncio.Transport", self._line))
        seconds = QUIET_SECONDS if self.server_state.is_draining else IDLE_SECONDS
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is too large or too slow ends the connection."""
        if self._is_deaf or self._line.is_closing():
            return
        self._head_bytes = self._head_bytes + len(data) if self._in_head else len(data)
        super().data_received(data)
        if not self._in_head or self._is_deaf:
            return
        if self._head_bytes > HEAD_BYTES_MAX:
            self.send_400_response("")
        else:
            self.timeout_keep_alive_task = self.loop.call_at(self._head_ends_at, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        """Begin with a head."""
        super().on_message_begin()
        self._in_head = True
        self._head_ends_at = self.loop.time() + HEAD_SECONDS

    def on_headers_complete(self) -> None:
        """Begin with the request, unless its head was too large."""
        self._in_head = False
        if self._head_bytes > HEAD_BYTES_MAX and self._head_size() > HEAD_BYTES_MAX:
            raise ValueError("the head is too large")
        if self.parser.get_http_version() not in _VERSIONS:
            raise ValueError("another version of HTTP")
        self.scope["offerhub.abort"] = self._line.abort  # type: ignore[typeddict-unknown-key] # for who streams to nobody
        super().on_headers_complete()
        if self.server_state.is_draining:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; the gateway has its own
        """Refuse what is no HTTP, after the answers that are due before it. Named by uvicorn, which calls it."""
        self._is_deaf = True
        is_broken = self._is_busy() and self.cycle.more_body
        is_waiting = bool(self.pipeline) or (self._is_busy() and not is_broken)
        if is_broken and self.pipeline:
            self.pipeline.popleft()
        elif is_broken:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        complaint = "The head of the request is too large" if self._head_bytes > HEAD_BYTES_MAX else "This is no valid HTTP/1.1"
        self.cycle = self._refusal(complaint)
        if is_waiting:
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing is under way."""
        if not self._is_busy():
            self._line.close_now()

    def shutdown(self) -> None:
        """Close now when idle, else with the answer under way."""
        if self._is_busy():
            self.cycle.keep_alive = False
        else:
            self._line.close_now()

    @property
    def is_idle(self) -> bool:
        """Tell whether the connection waits for a request."""
        return not self._is_busy() and not self._line.is_closing()

    def _hear_out(self) -> None:
        self.flow.resume_reading()

    def _is_busy(self) -> bool:
        return not getattr(self.cycle, "response_complete", True)  # there is none before the first request

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + _SEPARATORS for name, value in self.headers)

    def _refusal(self, complaint: str) -> RequestResponseCycle:
        scope: Any = {
            "type": "http",
            "method": "GET",
            "path": "",
            "query_string": b"",
            "headers": [],
            "client": self.client,
            "offerhub.malformed": complaint,
        }
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        cycle.more_body = False
        return cycle


class Server(uvicorn.Server):
    """Serves an application until `should_exit`, then lets every answer out."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        on_drain: Callable[[], None],
        quiet_seconds: float = QUIET_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        """Serve this application over the sockets that `serve` is given; `on_drain` ends answers that would go on for ever."""
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=cast("int", drain_seconds),  # it takes fractions too
            timeout_keep_alive=IDLE_SECONDS,
        )
        super().__init__(config)
        self.server_state = _State()
        self._on_drain = on_drain
        self._quiet_seconds = quiet_seconds

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override] # whoever runs it has its signals
        """Leave signals to the process, which cleans up after them."""
        return contextlib.nullcontext()

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ANN401 - uvicorn's
        """Stop accepting, give idle connections a moment, then wait for the answers under way."""
        cast("_State", self.server_state).is_draining = True
        for server in self.servers:
            server.close()
        self._on_drain()
        connections = cast("set[Connection]", self.server_state.connections)
        for connection in connections:
            if not connection.is_idle:
                connection.shutdown()
        now = asyncio.get_running_loop().time
        deadline = now() + self._quiet_seconds
        # Connections tell nobody when they become idle.
        while now() < deadline and any(connection.is_idle for connection in connections):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        await super().shutdown(sockets)

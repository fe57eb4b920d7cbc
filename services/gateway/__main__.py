"""`python -m services.gateway` runs one gateway process."""

import asyncio
import contextlib
import signal
import socket
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from libs.common.messaging.worker import tune_garbage_collection
from libs.common.observability.logging import start_logging
from libs.common.observability.tracing import start_tracing
from services.gateway.app import Gateway
from services.gateway.settings import GatewaySettings

DRAIN_SECONDS: Final = 15
"""Longer than a command's deadline, so that a stop never cuts an answer off."""
_BACKLOG: Final = 2048
_log = structlog.get_logger("offerhub.gateway")


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:  # noqa: ANN401 - the process handles its signals itself, and cleans up after them
        return contextlib.nullcontext()


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted."""
    start_logging(service="gateway", instance=settings.instance, level=settings.log_level)
    if settings.otlp_endpoint:
        start_tracing(service="gateway", endpoint=settings.otlp_endpoint)
    listener = listen(settings)
    async with Gateway(settings) as gateway:
        config = uvicorn.Config(
            gateway.asgi,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            timeout_keep_alive=75,
        )
        server = _Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)  # noqa: FBT003
        tune_garbage_collection()
        _log.info("gateway.ready", address=listener.getsockname())
        await server.serve(sockets=[listener])


def listen(settings: GatewaySettings) -> socket.socket:
    """Return the inherited socket, or bind one."""
    if settings.listen_fd is not None:
        listener = socket.socket(fileno=settings.listen_fd)
    else:
        listener = socket.create_server((settings.host, settings.port), backlog=_BACKLOG)
    # Accepted connections inherit it. Without it an answer's head and body, two writes, can wait 40 ms for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    uvloop.run(serve(GatewaySettings.read()))

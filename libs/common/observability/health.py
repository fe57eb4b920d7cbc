"""The side door of every process: GET /health, /ready and /metrics on a port of its own."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Probe = Callable[[], Awaitable[dict[str, str]]]
"""Returns what works: `ok` or the trouble in words, by dependency."""


class HealthServer:
    """Serves a process' health; `ready` is 200 only when every probe says ok."""

    def __init__(self, probe: Probe, *, host: str, port: int, port_file: str) -> None:
        """Listen on a port (0 for any free one) and write the one taken to `port_file`, if named."""
        self._probe = probe
        self._host = host
        self._port = port
        self._port_file = port_file
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind, serve and tell the port."""
        routes = [Route("/health", self._health), Route("/ready", self._ready), Route("/metrics", _metrics)]
        listener = socket.create_server((self._host, self._port))
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False, lifespan="off")
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="health")
        if self._port_file:
            path = Path(self._port_file)
            draft = path.with_suffix(".tmp")
            draft.write_text(str(listener.getsockname()[1]))
            draft.replace(path)

    async def stop(self) -> None:
        """Close the port."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "alive", "pid": os.getpid()})

    async def _ready(self, _: Request) -> Response:
        checks = await self._probe()
        good = all(value == "ok" for value in checks.values())
        return JSONResponse({"status": "ready" if good else "not ready", "checks": checks}, status_code=200 if good else 503)


class _Server(uvicorn.Server):
    def capture_signals(self) -> Any:  # noqa: ANN401 - the process handles its signals itself
        return contextlib.nullcontext()


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

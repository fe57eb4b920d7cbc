"""Waiting until a process of a service is ready."""

import asyncio
import time
from pathlib import Path
from typing import Final

from deploy.local import api
from deploy.local.errors import LocalError
from deploy.local.processes import Child, last_lines
from deploy.local.server_processes import port_written

READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_TAIL_LINES: Final = 15


async def ready_port(child: Child, port_file: Path, *, deadline: float) -> int:
    """Return the health port of a process once it is ready. `deadline` is on the monotonic clock.

    Raises:
        LocalError: it ended, or is not ready in time; the message has the end of its log.
    """
    port = await port_written(port_file, child, deadline_seconds=deadline - time.monotonic())
    trouble = "it opened no health port"
    while port and child.exit_status() is None and time.monotonic() < deadline:
        trouble = await api.ready(port)
        if not trouble:
            return port
        await asyncio.sleep(_POLL_SECONDS)
    status = child.exit_status()
    state = f"is not ready ({trouble})" if status is None else f"ended {ending(status)}"
    raise LocalError(
        f"{child.command.name} {state}; its log {child.command.log} ends with\n{last_lines(child.command.log, _TAIL_LINES)}"
    )


def ending(status: int) -> str:
    """Say how a process ended."""
    return f"by signal {-status}" if status < 0 else f"with status {status}"

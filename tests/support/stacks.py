"""A stack of our own for a bench or a chaos run: started in this process, supervised, and cleaned away with its data."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from deploy.local import launcher, settings
from deploy.local.stack import Stack

_OTHERS = ("OFFERHUB_", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "PORT")
Say = Callable[[str], None]


def silent(_: str) -> None:
    """Say nothing."""


@contextlib.asynccontextmanager
async def own_stack(
    *, kind: type[Stack] = Stack, say: Say = silent, supervised: bool = True, **environment: str
) -> AsyncIterator[Stack]:
    """Run a stack in a temporary directory on an ephemeral port, with nothing of this shell's own stack in its environment."""
    with _directory() as directory:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
        own = {"OFFERHUB_STATE_DIR": directory, "PORT": "0", "OFFERHUB_RATE_LIMITS": "off", "OFFERHUB_LOG_LEVEL": "WARNING"}
        chosen = settings.read(inherited | own | environment)
        stack = kind(chosen, say=say, supervised=supervised)
        try:
            await stack.start()
            watch = asyncio.create_task(stack.supervise()) if supervised else None
            try:
                yield stack
            finally:
                if watch is not None:
                    watch.cancel()
                    await asyncio.wait([watch])
        finally:
            await stack.stop()
            await launcher.clean(chosen, silent)


@contextlib.contextmanager
def _directory() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="offerhub-stack-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # an embedded Postgres started by root runs as nobody, and must get through
        yield directory


def address(stack: Stack) -> tuple[str, int]:
    """Return the gateway's host and port."""
    parts = urlsplit(stack.api_url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


async def check_identity(stack: Stack) -> None:
    """Fail unless it is this stack's own gateway that answers at its address: an old process there would be measured instead."""
    async with httpx.AsyncClient(base_url=stack.api_url, timeout=10, trust_env=False) as client:
        health = (await client.get("/health")).json()["data"]
        listed = await client.get("/auth/api-keys", headers={"Authorization": f"Bearer {stack.shell['OFFERHUB_SUPPORT_KEY']}"})
    assert health["status"] == "healthy", f"the stack is not healthy: {health}"
    assert listed.status_code != httpx.codes.UNAUTHORIZED, f"somebody else's gateway answers at {stack.api_url}"


def pids(stack: Stack) -> dict[str, int]:
    """Return the pid of each process, by its name such as `ledger-1`."""
    return {name: child.identity.pid for name, child in stack.processes.items()}


def pids_by_kind(stack: Stack) -> dict[str, list[int]]:
    """Return the pids of processes of one kind, by its name such as `ledger`."""
    found: dict[str, list[int]] = {}
    for name, pid in pids(stack).items():
        found.setdefault(name.partition("-")[0], []).append(pid)
    return found

"""What the figures were taken on."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import aiormq
import asyncpg
import psutil

from deploy.local.stack import Stack


async def describe(stack: Stack) -> dict[str, str]:
    """Describe the hardware, the servers and the libraries."""
    owner = await asyncpg.connect(stack.database_url())
    postgres = await owner.fetchval("SHOW server_version")
    settings = [f"{name} {await owner.fetchval(f'SHOW {name}')}" for name in ("fsync", "synchronous_commit", "autovacuum")]
    await owner.close()
    broker = await aiormq.connect(stack.shell["AMQP_URL"])
    product = f"{_text(broker, 'product')} {_text(broker, 'version')}"
    await broker.close()
    libraries = ("faststream", "aio-pika", "fastapi", "uvicorn", "uvloop", "asyncpg", "msgspec")
    return {
        **hardware(),
        "Postgres": f"{postgres} ({', '.join(settings)})",
        "broker": product,
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
        "commit": commit(),
    }


def hardware() -> dict[str, str]:
    """Describe the machine."""
    return {
        "processor": f"{_processor()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def commit() -> str:
    """Name the commit that was measured, and say if there was more."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "libs", "services", "deploy")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _text(connection: aiormq.abc.AbstractConnection, name: str) -> str:
    value = connection.server_properties.get(name, "") if isinstance(connection, aiormq.Connection) else ""
    return value.decode() if isinstance(value, bytes) else str(value)

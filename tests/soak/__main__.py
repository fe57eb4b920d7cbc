"""`python -m tests.soak`: thousands of deliveries through rotations of their secrets, each verified in four ways."""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local.errors import LocalError
from deploy.local.stack import Stack
from tests.bench.machine import describe
from tests.soak import report
from tests.soak.run import Options, Result, run
from tests.soak.subscribers import Post, Rotation
from tests.soak.verifiers import node
from tests.support.stacks import own_stack

_RETRY_SECONDS: Final = "0.2,0.5,1,2,4"
_PACKAGE: Final = "standardwebhooks@1"


def main() -> int:
    """Return 0 when every delivery arrived and every check accepted it; 1 on any breach, each of them printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Deliver through rotations, verify everything.")
    parser.add_argument("--deliveries", type=int, default=12_000)
    parser.add_argument("--rotations", type=int, default=5, help="per endpoint")
    chosen = parser.parse_args()
    options = Options(
        chosen.deliveries, chosen.rotations, Rotation(stage_seconds=2, overlap_seconds=3), endpoints=4, refusing=0.02
    )
    try:
        with tempfile.TemporaryDirectory(prefix="offerhub-node-") as modules:
            subprocess.run(["npm", "install", "--silent", "--prefix", modules, _PACKAGE], check=True, timeout=120)
            result, versions = asyncio.run(_soak(options, Path(modules)))
    except (LocalError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"no soak: {error}\n")
        return 1
    for breach in result.breaches():
        print(f"BREACH: {breach}")
    report.write(result, options, versions)
    print(f"{result.requests:,} requests in {result.seconds:.0f} s; written: {report.PATH}")
    return 1 if result.breaches() else 0


async def _soak(options: Options, modules: Path) -> tuple[Result, dict[str, str]]:
    async with own_stack(OFFERHUB_WEBHOOK_RETRY_SECONDS=_RETRY_SECONDS) as stack, node(modules) as verifier, _api(stack) as post:
        result = await run(post, options, node=verifier)
        return result, await describe(stack) | {"Node": verifier.version, "npm": _version(modules)}


@contextlib.asynccontextmanager
async def _api(stack: Stack) -> AsyncIterator[Post]:
    """Speak with the stack's API for a block."""
    headers = {"Authorization": f"Bearer {stack.shell['OFFERHUB_API_KEY']}"}
    async with httpx.AsyncClient(base_url=stack.api_url, headers=headers, timeout=30.0) as client:

        async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = await client.post(path, json=body)
            answer.raise_for_status()
            data: dict[str, Any] = answer.json()["data"]
            return data

        yield post


def _version(modules: Path) -> str:
    package = modules / "node_modules" / "standardwebhooks" / "package.json"
    found: str = json.loads(package.read_text())["version"]
    return found


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.fuzz`: fuzzes a stack of its own with each kind of key, and writes docs/fuzzing.md."""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from pathlib import Path

import httpx

from deploy.local.errors import LocalError
from tests.fuzz import report
from tests.fuzz.run import Outcome, fuzz
from tests.fuzz.stage import SCOPES, set_up
from tests.support.stacks import check_identity, own_stack


def main() -> int:
    """Return 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the API by its OpenAPI document.")
    parser.add_argument("--minutes", type=float, default=20.0, help="for all keys together")
    parser.add_argument("--seed", type=int, default=None, help="a number; drawn and printed when left out")
    chosen = parser.parse_args()
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    _say(f"seed {seed}")
    try:
        outcomes = asyncio.run(_until_terminated(minutes=chosen.minutes, seed=seed))
    except (LocalError, AssertionError) as error:
        sys.stderr.write(f"invalid run: {error}\n")
        return 1
    except asyncio.CancelledError:
        return 143
    report.write(outcomes, seed=seed, minutes=chosen.minutes)
    _say(f"written: {report.PATH}")
    return 1 if any(outcome.complaints for outcome in outcomes.values()) else 0


async def _until_terminated(*, minutes: float, seed: int) -> dict[str, Outcome]:
    """Treat SIGTERM like Ctrl-C: the stack is stopped and cleaned away."""
    task = asyncio.ensure_future(_fuzz_all(minutes=minutes, seed=seed))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def _fuzz_all(*, minutes: float, seed: int) -> dict[str, Outcome]:
    seconds = max(10, round(minutes * 60 / len(SCOPES)))
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="offerhub-fuzz-") as directory:
        async with own_stack() as stack, httpx.AsyncClient(base_url=stack.api_url, timeout=30, trust_env=False) as client:
            await check_identity(stack)
            for scope in SCOPES:
                room = Path(directory) / scope
                room.mkdir()
                stage = await set_up(
                    client, scope=scope, master_key=stack.shell["OFFERHUB_MASTER_KEY"], answers=room / "answers.json"
                )
                outcomes[scope] = found = await fuzz(stack.api_url, stage, room, seed=seed, seconds=seconds, shrink=True)
                _say(f"{scope}: {found.cases} requests, {found.reached} of {found.operations} operations succeeded")
                if found.complaints:
                    _say(found.told)
    return outcomes


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

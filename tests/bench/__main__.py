"""`python -m tests.bench`: measures a stack of its own and compares with the last accepted run."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from deploy.local.errors import LocalError
from tests.bench import baseline, figures, measure, report

T = TypeVar("T")


def main() -> int:
    """Return 0 when the run is valid and nothing fell; missed targets are named, and are no failure of their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure throughput, latency and memory.")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s each; writes nothing and compares nothing")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accept", action="store_true", help="make this run the baseline")
    parser.add_argument("--profile", action="store_true", help="profile the write path instead")
    parser.add_argument(
        "--only", choices=figures.SCENARIOS, help="one scenario at 64 connections, and what it costs each process"
    )
    chosen = parser.parse_args()
    try:
        if chosen.profile:
            asyncio.run(_until_terminated(measure.profile(_say)))
            return 0
        if chosen.only:
            asyncio.run(_until_terminated(measure.only(chosen.only, seconds=chosen.seconds, say=_say)))
            return 0
        return _bench(chosen)
    except (measure.InvalidRunError, LocalError, AssertionError) as error:
        sys.stderr.write(f"invalid run: {error}\n")
        return 1
    except asyncio.CancelledError:
        return 143


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Treat SIGTERM like Ctrl-C: the stack is stopped and cleaned away."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _bench(chosen: argparse.Namespace) -> int:
    seconds, rounds = (2.0, 1) if chosen.quick else (chosen.seconds, chosen.rounds)
    results = asyncio.run(_until_terminated(measure.run(seconds=seconds, rounds=rounds, say=_say)))
    _summary(results)
    if chosen.quick:
        return 0
    report.write(results, seconds=seconds, rounds=rounds)
    _say(f"\nwritten: {report.PATH}")
    busy = results.others > figures.OTHERS_CORES
    if busy:
        _say(f"others kept {results.others:.2f} cores busy: repeat this on a quiet machine")
    before = baseline.read()
    if (chosen.accept or before is None) and not busy:
        baseline.accept(results)
        _say(f"accepted as the baseline: {baseline.PATH}")
        return 0
    fallen = baseline.fallen(results, before) if before is not None else []
    for line in fallen:
        _say(f"regression: {line}")
    return 1 if fallen or (chosen.accept and busy) else 0


def _summary(results: figures.Results) -> None:
    _say(f"  many accounts   {results.spread:>8,.0f}/s   {results.journals_cpu_us:.0f} µs of CPU each")
    _say(f"  one account     {results.hot:>8,.0f}/s")
    _say(f"\nidle memory: {sum(results.idle_rss_mb.values()):.0f} MB RSS, {sum(results.idle_pss_mb.values()):.0f} MB PSS")
    for line in figures.missed(results):
        _say(f"target missed: {line}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.bench_webhooks`: measures deliveries, and writes docs/benchmarks-webhooks.md."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.bench.machine import commit
from tests.bench.processes import machine_seconds
from tests.bench_webhooks.field import open_field
from tests.bench_webhooks.scenarios import SCENARIOS, Row, Size
from tests.bench_webhooks.streams import streams
from tests.support.servers import Borrowed, fresh_database, fresh_prefix

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-webhooks.md"
_QUICK: Final = Size(seconds=5, calm_seconds=5, queued=200, dumped=2_000, parked=1_000)
_HEAD: Final = """# Benchmarks of deliveries

Written by `make bench-webhooks`; do not edit. One webhooks process with the settings it is shipped with, Postgres, RabbitMQ,
the receivers and who publishes the events, all on one machine of {cores} cores, over plain HTTP on loopback. Commit {commit}.
An event's delay begins with the instant it is logged with, which is before its commit.

| what | seen | target |
|---|---:|---|
"""


def main() -> int:
    """Return 0 when everything was measured; missed targets are named, and are no failure of their own."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_webhooks", description="Measure deliveries.")
    parser.add_argument("--quick", action="store_true", help="a few seconds each; writes nothing")
    parser.add_argument(
        "--only", choices=[*(scenario.__name__ for scenario in SCENARIOS), streams.__name__], help="one of them; writes nothing"
    )
    chosen = parser.parse_args()
    names = [chosen.only] if chosen.only else [*(scenario.__name__ for scenario in SCENARIOS), streams.__name__]
    size = _QUICK if chosen.quick else Size()
    with tempfile.TemporaryDirectory(prefix="offerhub-bench-") as directory:
        borrowed = Borrowed(Path(directory))
        with borrowed.postgres() as server, borrowed.broker() as broker:
            rows = [row for name in names for row in _one(name, size, server, broker)]
    if not chosen.quick and not chosen.only:
        _write(rows)
    return 0


def _one(name: str, size: Size, server: str, broker: str) -> list[Row]:
    rows = asyncio.run(streams(size)) if name == streams.__name__ else _in_the_field(name, size, server, broker)
    for row in rows:
        sys.stdout.write(f"{_seen(row):>12}  {row.name}{'' if row.is_met else '   TARGET MISSED'}\n")
    sys.stdout.flush()
    return rows


def _in_the_field(name: str, size: Size, server: str, broker: str) -> list[Row]:
    scenario = next(found for found in SCENARIOS if found.__name__ == name)

    async def measured(url: str, prefix: str) -> list[Row]:
        async with open_field(url, broker, prefix) as place:
            began, all_began, ours_began = time.monotonic(), machine_seconds(), place.all_seconds()
            rows = await scenario(place, size)
            others = machine_seconds() - all_began - place.all_seconds() + ours_began
            return [*rows, Row(f"cores that strangers kept busy during {name}", others / (time.monotonic() - began), "")]

    with fresh_database(server) as url, fresh_prefix(broker) as prefix:
        return asyncio.run(measured(url, prefix))


def _seen(row: Row) -> str:
    return f"{row.value:,.2f} {row.unit}".strip() if row.value < 10 else f"{row.value:,.0f} {row.unit}"


def _target(row: Row) -> str:
    if row.least is None and row.most is None:
        return ""
    bound = f"at least {row.least:,.0f}" if row.least is not None else f"at most {row.most:g}"
    return f"{bound}{'' if row.is_met else ', missed'}"


def _write(rows: Sequence[Row]) -> None:
    lines = "".join(f"| {row.name} | {_seen(row)} | {_target(row)} |\n" for row in rows)
    PATH.write_text(_HEAD.format(cores=os.cpu_count(), commit=commit()) + lines)


if __name__ == "__main__":
    sys.exit(main())

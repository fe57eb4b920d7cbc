"""`python -m tests.chaos.lying`: every pair of lies, with every seed, on all cores; writes docs/reliability-lies.md."""

import argparse
import asyncio
import contextlib
import random
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.bench.machine import commit, hardware
from tests.chaos.lies import COMING, LEAVING, LEDGER_SECONDS, LIES, PAIRS, PATIENCE_SECONDS, Seen, stage
from tests.chaos.parts import DiedError, in_a_process
from tests.support.servers import Borrowed, fresh_prefix
from tests.support.workers import migrated_database, settings

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability-lies.md"
SEEDS: Final = 20
AT_ONCE: Final = 2
"""Processes: each has a chain, a database and a bus of its own."""
_PART: Final = 30
"""Plays on one chain, before another one begins."""
_PART_SECONDS: Final = 600.0
Play = tuple[tuple[str, str], int]

_PAGE: Final = """# A Horizon that lies

Written by `make chaos-lies`; do not edit. Payouts asks its Horizon for everything that it knows of the network, so this one
lies: {lies} lies, told in each of the {pairs} pairs that they make, with {seeds} seeds a pair. Meanwhile {leaving} people
withdraw, one in four to an account that can't receive, {coming} deposits come in, and in one play of three a withdrawal is called
off. A ledger closes every {ledger_ms:.0f} ms. A play ends when everything has come to its end with the lies still on, in
{patience:.0f} s at most.

{machine}

| | |
|---|---:|
| plays | {plays} |
| breaches of what stands below | {breaches} |

## What became of the money

| | |
|---|---:|
{ends}

Whoever was refused because an account was not shown asked again until it was taken; nothing had moved.

## The lies

| lie | told |
|---|---:|
{told}

## How it is judged

- By the network's own list of payments, read when the lies have ended: each withdrawal has an amount that no other has, so
  that it can be counted. What is COMPLETED was paid once; what is FAILED or CANCELED was not.
- By the books: a withdrawal has the journals of its end and no other; each user has what they began with, plus what came in,
  minus what was paid, so that each deposit was credited once.
- At the end of every {part} plays what the platform holds on the chain has changed by what `external:stellar` has changed in the
  books, to the stroop, and the books and their chain of hashes are whole.
- A play that does not come to its end in time is a breach, and so is a lie that was never told.
- Not judged is how long it takes: lies may delay anything. The longest play took {longest:.1f} s.

## How to repeat

    make chaos-lies                                   # all of it, and this page; exits 1 on a breach
    .venv/bin/python -m tests.chaos.lying --seeds 2   # fewer; writes nothing
    .venv/bin/pytest tests/integration/payouts/test_lies.py  # a sample in seconds, which `make test` runs

A play's lies, people and instants follow from its pair and seed; which request meets which lie is up to the machine.
"""


def main() -> int:
    """Return 0 when everything holds; 1 on any breach, each of them printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.lying", description="Have a Horizon lie while money moves.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each pair of lies; fewer than the default write nothing")
    seeds = parser.parse_args().seeds
    began = time.monotonic()
    seen = tell_all(seeds, _say)
    for breach in seen.breaches:
        _say(f"BREACH: {breach}")
    if not seen.breaches and seeds >= SEEDS:
        write(seen, seeds, began)
        _say(f"written: {PATH}")
    return 1 if seen.breaches else 0


def tell_all(seeds: int, say: Callable[[str], None]) -> Seen:
    """Play every pair with so many seeds, and return what was found."""
    plays: list[Play] = [(pair, seed) for pair in PAIRS for seed in range(seeds)]
    random.Random(seeds).shuffle(plays)
    parts = [plays[start : start + _PART] for start in range(0, len(plays), _PART)]
    say(f"{len(plays)} plays: {len(PAIRS)} pairs of lies, {seeds} seeds each")
    seen = Seen()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in as_completed([pool.submit(_part, number, part) for number, part in enumerate(parts, 1)]):
            seen.add(done.result())
            say(f"  {seen.plays} plays, {len(seen.breaches)} breaches")
    seen.breaches += [f"nobody was told {lie}" for lie in LIES if not seen.fired[lie]]
    return seen


def _part(number: int, plays: Sequence[Play]) -> Seen:
    try:
        return in_a_process(partial(tell, plays), seconds=_PART_SECONDS)
    except DiedError as error:
        return Seen(breaches=[f"part {number}: {error}"])


def tell(plays: Sequence[Play]) -> Seen:
    """Play one after the other on a chain, a database and a bus of their own."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        borrowed = Borrowed(directory)
        database = stack.enter_context(migrated_database(stack.enter_context(borrowed.postgres())))
        broker = stack.enter_context(borrowed.broker())
        prefix = stack.enter_context(fresh_prefix(broker))
        return asyncio.run(_tell(plays, directory, database, broker, prefix))


async def _tell(plays: Sequence[Play], directory: Path, database: str, broker: str, prefix: str) -> Seen:
    async with stage(directory / "chain", settings(database, broker, prefix)) as opened:
        for pair, seed in plays:
            _say(f"{pair} seed {seed}")
            try:
                await opened.play(pair, seed)
            except Exception:  # noqa: BLE001 - whatever it is, it has the name of its play
                opened.seen.breaches.append(f"{pair} seed {seed}: {traceback.format_exc()}")
            if opened.seen.breaches:
                return opened.seen
        await opened.settle_up()
        return opened.seen


def write(seen: Seen, seeds: int, began: float) -> None:
    """Write the page."""
    machine = [f"- {name}: {value}" for name, value in hardware().items()]
    machine += [f"- commit: {commit()}", f"- took: {(time.monotonic() - began) / 60:.0f} minutes, {AT_ONCE} plays at a time"]
    text = _PAGE.format(
        lies=len(LIES), pairs=len(PAIRS), seeds=seeds, leaving=LEAVING, coming=COMING, ledger_ms=LEDGER_SECONDS * 1_000,
        patience=PATIENCE_SECONDS, part=_PART, longest=seen.longest, machine="\n".join(machine),
        plays=seen.plays, breaches=len(seen.breaches),
        ends="\n".join(f"| {end} | {count:,} |" for end, count in sorted(seen.ends.items())),
        told="\n".join(f"| {lie} | {seen.fired[lie]:,} |" for lie in LIES),
    )  # fmt: skip
    PATH.write_text(text)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.chaos`: kills processes under load, and asks afterwards whether anything was lost or done twice."""

import argparse
import asyncio
import sys
from typing import Final

import asyncpg

from deploy.local.errors import LocalError
from tests.chaos import report
from tests.chaos.outage import Outage, suffer
from tests.chaos.run import Options, Result, run
from tests.support.oracles import books_hold
from tests.support.stacks import own_stack

_BROKERS: Final = ("servers", "embedded")
_OUTAGE_CLIENTS: Final = 64
_OUTAGE_SECONDS: Final = 30.0


def main() -> int:
    """Return 0 when everything holds; 1 on any breach, each of them printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill processes under load, then check the books.")
    parser.add_argument("--broker", choices=_BROKERS, help="one of the two only; writes nothing")
    parser.add_argument("--kills", type=int, default=120, help="kills per broker")
    parser.add_argument("--seed", type=int, default=20, help="of the kills and of the clients' wishes")
    parser.add_argument("--clients", type=int, default=24)
    chosen = parser.parse_args()
    options = Options(kills=chosen.kills, seed=chosen.seed, clients=chosen.clients)
    try:
        breaches = _run_one(chosen.broker, options) if chosen.broker else _run_all(options)
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for breach in breaches:
        _say(f"BREACH with --seed {options.seed} --kills {options.kills} --clients {options.clients}: {breach}")
    return 1 if breaches else 0


def _run_one(broker: str, options: Options) -> list[str]:
    return _found(asyncio.run(run(broker, options, _say)))


def _run_all(options: Options) -> list[str]:
    results = [asyncio.run(run(broker, options, _say)) for broker in _BROKERS]
    outage = asyncio.run(_outage())
    report.write(results, outage, options)
    _say(f"written: {report.PATH}")
    return [breach for result in results for breach in _found(result)] + outage.breaches()


async def _outage() -> Outage:
    """Take the broker away and bring it back.

    Raises:
        AssertionError: the books did not survive it.
    """
    _say(f"the broker goes away for {_OUTAGE_SECONDS:g} s")
    async with own_stack(supervised=False, OFFERHUB_LOCAL="embedded") as stack:
        seen = await suffer(stack, clients=_OUTAGE_CLIENTS, seconds=_OUTAGE_SECONDS)
        database = await asyncpg.connect(stack.database_url())
        await books_hold(database)
        await database.close()
    return seen


def _found(result: Result) -> list[str]:
    return [f"{result.broker}: {breach}" for breach in result.breaches()]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

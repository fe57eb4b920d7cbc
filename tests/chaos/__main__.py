"""`python -m tests.chaos`: kills processes under load, and asks afterwards whether anything was lost or done twice."""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import asyncpg

from deploy.local.errors import LocalError
from tests.chaos import hooks, hooks_report, report
from tests.chaos.outage import Outage, suffer
from tests.chaos.payouts import report as payouts_report
from tests.chaos.payouts import run as payouts
from tests.chaos.replays import Seen, Wish, replay_under_kills
from tests.chaos.run import Options, Result, run
from tests.support.oracles import books_hold
from tests.support.servers import Borrowed, fresh_prefix
from tests.support.stacks import own_stack
from tests.support.webhooks import webhooks_settings
from tests.support.workers import migrated_database

_BROKERS: Final = ("servers", "embedded")
_OUTAGE_CLIENTS: Final = 64
_OUTAGE_SECONDS: Final = 30.0
_REPLAY: Final = Wish(events=50_000, kills=30)
_HOOKS: Final = hooks.Wish(events=20_000, kills=60, followers=10, disconnects=500)
_SOME_HOOKS: Final = hooks.Wish(events=4_000, kills=12, followers=5, disconnects=100)


def main() -> int:
    """Return 0 when everything holds; 1 on any breach, each of them printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill processes under load, then check the books.")
    parser.add_argument("--broker", choices=_BROKERS, help="one of the two only; writes nothing")
    parser.add_argument("--replay", action="store_true", help="the replay only; writes nothing")
    parser.add_argument("--webhooks", action="store_true", help="webhooks and streams only, all of it; writes their page")
    parser.add_argument("--payouts", action="store_true", help="payouts only; writes their page")
    parser.add_argument("--kills-per-point", type=int, default=10, help="deaths at each fault point of payouts")
    parser.add_argument("--kills", type=int, default=120, help="kills per broker")
    parser.add_argument("--seed", type=int, default=20, help="of the kills and of the clients' wishes")
    parser.add_argument("--clients", type=int, default=24)
    chosen = parser.parse_args()
    options = Options(kills=chosen.kills, seed=chosen.seed, clients=chosen.clients)
    try:
        breaches = _chosen(chosen, options, payouts.Wish(chosen.kills_per_point, chosen.seed))
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for breach in breaches:
        _say(f"BREACH with --seed {options.seed} --kills {options.kills} --clients {options.clients}: {breach}")
    return 1 if breaches else 0


def _chosen(chosen: argparse.Namespace, options: Options, wish: payouts.Wish) -> list[str]:
    if chosen.webhooks:
        seen, replayed = asyncio.run(hooks.run(_HOOKS, _say)), _replay()
        hooks_report.write(seen, replayed)
        _say(f"written: {hooks_report.PATH}")
        return seen.breaches() + replayed.breaches()
    if chosen.payouts:
        paid = payouts.run(wish, _say)
        payouts_report.write(paid)
        _say(f"written: {payouts_report.PATH}")
        return paid.breaches()
    if chosen.replay:
        return _replayed()
    return _run_one(chosen.broker, options) if chosen.broker else _run_all(options, wish)


def _replayed() -> list[str]:
    seen = _replay()
    _say(f"{seen}")
    return seen.breaches()


def _run_one(broker: str, options: Options) -> list[str]:
    return _found(asyncio.run(run(broker, options, _say)))


def _run_all(options: Options, wish: payouts.Wish) -> list[str]:
    results = [asyncio.run(run(broker, options, _say)) for broker in _BROKERS]
    outage = asyncio.run(_outage())
    replayed = _replay()
    hooked = asyncio.run(hooks.run(_SOME_HOOKS, _say))
    paid = payouts.run(wish, _say)
    report.write(results, outage, replayed, options)
    _say(f"written: {report.PATH}")
    parts = (outage, replayed, hooked, paid)
    return [breach for result in results for breach in _found(result)] + [breach for part in parts for breach in part.breaches()]


def _replay() -> Seen:
    """Replay a long log under kills, on servers that are there or embedded ones."""
    _say(f"replaying {_REPLAY.events:,} events, killing {_REPLAY.kills} times")
    with contextlib.ExitStack() as stack:
        borrowed = Borrowed(Path(stack.enter_context(TemporaryDirectory())))
        database = stack.enter_context(migrated_database(stack.enter_context(borrowed.postgres())))
        broker = stack.enter_context(borrowed.broker())
        prefix = stack.enter_context(fresh_prefix(broker))
        return asyncio.run(replay_under_kills(webhooks_settings(database, broker, prefix), _REPLAY))


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

"""Writes docs/reliability.md."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from libs.common.messaging.faults import POINTS
from tests.chaos.outage import ANSWER_SECONDS, BACK_SECONDS, GROWTH_MB, Outage
from tests.chaos.replays import Seen
from tests.chaos.run import PROCESSES, QUIET_SECONDS, Options, Result

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_TITLES: Final = {"servers": "RabbitMQ", "embedded": "embedded broker"}

_INTRODUCTION: Final = """# Reliability

Written by `make chaos`; do not edit. A stack of several processes per service
(`{processes}`) works for {clients} clients while its processes are killed with
SIGKILL, {kills} times per broker by a plan drawn from seed {seed}; some come back with a fault point armed, so that they die
again at that very line. Killing stops, the stack comes to rest, every request is repeated once more under its
Idempotency-Key, and the oracles read Postgres, the bus and the webhook receiver and compare them with what the clients were told.
Deposits and withdrawals have [a page of their own](reliability-payouts.md).

{versions}
"""

_METHOD: Final = """
## What is done

- Each client does one thing after the other: it signs people up, brings money in, and makes orders, a third of them with
  milestones, that end in a release, a refund, a dispute with a comment, an agent and a verdict (mostly an exact split), or are
  called off.
  Buyers and sellers are shared by all clients, so accounts are contended. Some orders are raced: reserve against cancel, release
  against refund, release against dispute. One request in seven is sent by two callers at once under one key, one step in ten is
  preceded by a request the order's state forbids.
- Every POST carries an Idempotency-Key and is repeated under it, after 50 … 300 ms, until its answer is final: not a lost
  connection, not an error that calls itself retryable. Final answers are the clients' journal.
- The expectation is a second, simpler telling of the rules (`tests/chaos/model.py`), fed with accepted requests only. What a
  refused request had done would show as a state, a journal, a balance or an event too many.
- A repeat must get the same answer: a success to the byte, a refusal but for its `request_id`.
- Killed are the five services. RabbitMQ and Postgres belong to the machine and stay up; the embedded broker keeps messages in
  memory and loses them by design when it is killed, so in that run it stays up too, with its Postgres. How the
  stack bears an orderly stop of the embedded broker is the outage above.
- A process that ends without having been killed is a breach, and so is an answer with status 500.

## How to repeat

    make chaos                                              # all of this, and this page; exits 1 on a breach
    .venv/bin/python -m tests.chaos --replay                # the replay only; writes nothing
    .venv/bin/python -m tests.chaos --webhooks              # deliveries and streams; writes docs/reliability-webhooks.md
    .venv/bin/python -m tests.chaos --broker embedded       # one broker only; writes nothing
    .venv/bin/python -m tests.chaos --seed 7 --clients 16   # another plan

The plan of kills and each client's wishes follow from the seed; which kill meets which request is up to the machine.
"""


def write(results: Sequence[Result], outage: Outage, replayed: Seen, options: Options) -> None:
    """Write the page."""
    versions = "\n".join(f"- {_title(result)}: {_versions(result)}" for result in results)
    introduction = _INTRODUCTION.format(
        processes=PROCESSES, clients=options.clients, kills=options.kills, seed=options.seed, versions=versions
    )
    parts = [introduction, _oracles(results), _figures(results), _kills(results), _points(results), _requests(results)]
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text("\n".join([*parts, _outage(outage), show_replay(replayed), _METHOD]))


def _title(result: Result) -> str:
    return _TITLES[result.broker]


def _versions(result: Result) -> str:
    named = result.versions
    return f"{named['broker']}, Postgres {named['Postgres']}, {named['system']}, {named['processor']}, commit {named['commit']}"


def _table(results: Sequence[Result], title: str, rows: Sequence[tuple[str, Sequence[object]]], *, align: str = "---:") -> str:
    lines = [f"| {title} | {' | '.join(_title(result) for result in results)} |", f"|---|{f'{align}|' * len(results)}"]
    return "\n".join(lines + [f"| {name} | {' | '.join(str(value) for value in values)} |" for name, values in rows])


def _oracles(results: Sequence[Result]) -> str:
    facts = [verdict.fact for verdict in results[0].verdicts]
    found = [
        {verdict.fact: f"**breach**: {verdict.trouble}" if verdict.trouble else "holds" for verdict in it.verdicts}
        for it in results
    ]
    rows: list[tuple[str, Sequence[object]]] = [(fact, [one[fact] for one in found]) for fact in facts]
    ended = [f"**breach**: {len(result.surprises)}" if result.surprises else "holds" for result in results]
    rows.append(("No process ended that was not killed", ended))
    return "## What must hold afterwards\n\n" + _table(results, "oracle", rows, align="---")


def _figures(results: Sequence[Result]) -> str:
    def quiet(result: Result) -> str:
        return "**not at rest**" if result.quiet_seconds is None else f"{result.quiet_seconds:.1f}"

    rows: list[tuple[str, Sequence[object]]] = [
        ("kills from outside", [sum(it.kills.values()) for it in results]),
        ("deaths at a fault point", [sum(it.points.values()) for it in results]),
        ("seconds of load and kills", [f"{it.load_seconds:.0f}" for it in results]),
        ("requests with a final answer", [f"{it.requests:,}" for it in results]),
        ("of them repeated afterwards", [f"{it.repeats:,}" for it in results]),
        ("orders", [f"{it.orders:,}" for it in results]),
        ("events logged", [f"{it.events:,}" for it in results]),
        ("webhooks delivered more than once", [f"{it.duplicates:,}" for it in results]),
        (f"seconds from the last kill to rest (at most {QUIET_SECONDS:g})", [quiet(it) for it in results]),
    ]
    return "\n## Figures\n\n" + _table(results, "", rows)


def _kills(results: Sequence[Result]) -> str:
    services = sorted({name for result in results for name in result.kills})
    rows = [(name, [result.kills[name] for result in results]) for name in services]
    return "\n## Kills by service\n\n" + _table(results, "service", rows)


def _points(results: Sequence[Result]) -> str:
    rows = [(f"`{point}`", [result.points[point] for result in results]) for point in POINTS]
    return "\n## Deaths by fault point\n\n" + _table(results, "point", rows)


def _requests(results: Sequence[Result]) -> str:
    finals = _counted(results, [result.finals for result in results])
    attempts = _counted(results, [result.outcomes for result in results])
    return f"\n## Requests\n\nFinal answers:\n\n{finals}\n\nSingle attempts, repeats included:\n\n{attempts}"


def _counted(results: Sequence[Result], counters: Sequence[Counter[str]]) -> str:
    names = sorted({name for counter in counters for name in counter})
    return _table(results, "answer", [(name, [f"{counter[name]:,}" for counter in counters]) for name in names])


def _outage(outage: Outage) -> str:
    answers = ", ".join(f"{count:,} times {answer}" for answer, count in outage.answers.most_common())
    verdict = "; ".join(outage.breaches())
    lines = [
        f"\n## The broker goes away for {outage.seconds:g} s",
        "",
        f"{outage.clients} clients write as fast as they are answered; the embedded broker is stopped by SIGTERM and started",
        "again on its port, and nothing else is restarted.",
        "",
        "| what | seen | limit |",
        "|---|---:|---:|",
        f"| answers meanwhile | {answers} | 503 with Retry-After |",
        f"| seconds to the first 503 | {outage.first_seconds:.3f} | {ANSWER_SECONDS:g} |",
        f"| seconds to the slowest 503 | {outage.slowest_seconds:.3f} | {ANSWER_SECONDS:g} |",
        f"| growth of the gateway's RSS, MB | {outage.growth_mb:.1f} | {GROWTH_MB:g} |",
        f"| seconds from the broker's start to an accepted write | {outage.back_seconds:.2f} | {BACK_SECONDS:g} |",
        f"| verdict | {f'**breach**: {verdict}' if verdict else 'holds; the books hold'} | |",
    ]
    return "\n".join(lines)


def show_replay(seen: Seen) -> str:
    """Tell of a replay under kills."""
    verdict = "; ".join(seen.breaches())
    lines = [
        f"\n## A replay of {seen.events:,} events",
        "",
        "Three processes of the webhooks service replay a log to a receiver while they are killed; half of those that come back",
        "die again at a fault point.",
        "",
        "| what | seen |",
        "|---|---:|",
        f"| kills from outside | {seen.kills} |",
        f"| deaths at a fault point | {seen.points.total()} |",
        f"| deliveries made, of as many events | {seen.deliveries:,} of {seen.positions:,} |",
        f"| events that the receiver got | {seen.distinct:,} |",
        f"| of them more than once | {seen.received - seen.distinct:,} |",
        f"| seconds | {seen.seconds:.0f} |",
        f"| verdict | {f'**breach**: {verdict}' if verdict else 'holds: none was skipped, none was made twice'} |",
    ]
    return "\n".join(lines)

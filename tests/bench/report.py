"""Writes docs/benchmarks.md."""

from pathlib import Path
from typing import Final

from tests.bench.figures import (
    ALONE_P50_MS,
    CONNECTIONS,
    CROWD,
    CROWDED,
    FALL,
    HOT_SHARE,
    IDLE_MB,
    JOURNALS_PER_SECOND,
    OTHERS_CORES,
    P99_MS,
    PER_SECOND,
    SCENARIOS,
    SINGLE,
    Results,
)
from tests.bench.journals import ACCOUNTS, FRAME, JOURNALS

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
_ORDER: Final = ("generator", "gateway", "escrow", "ledger", "webhooks", "payouts", "signer", "horizon", "broker", "Postgres")

_INTRODUCTION: Final = """# Benchmarks

Written by `make bench`; do not edit. Everything runs on one machine: the five services, Postgres, the broker and the
generator share its cores. The load is a closed loop: each connection sends its next request when it has the answer.

{machine}

## Figures

Medians of {rounds} rounds of {seconds:g} s after a warm-up of 0.5 s; in brackets the slowest and the fastest round. The ratio
is to the calibration: bare questions and answers in frames over the same broker, 64 callers, right before each scenario.
Machines and hours differ by more than the code does; the ratio is what can be compared.
"""

_METHOD: Final = """
## How to repeat

    make bench                            # about eight minutes; compares with tests/bench/baseline.json, rewrites this page
    .venv/bin/python -m tests.bench --quick      # one round of 2 s each; writes nothing
    .venv/bin/python -m tests.bench --accept     # makes this run the baseline
    .venv/bin/python -m tests.bench --only reserve   # one scenario, and its CPU by process
    .venv/bin/python -m tests.bench --profile    # where the write path spends its time

- The stack is the launcher's: one process per service, a temporary database and queues. Authentication, rate limits (counted,
  with a limit nobody reaches), idempotency, records and metrics are on; the bench checks whose gateway answers.
- The orders of the scenario that only reserves are made before its window opens.
- Orders are spread over 100 buyers and 100 sellers. Every POST carries an Idempotency-Key of its own.
- A run in which any request fails is invalid and exits 1. After the load every order must be in the database as often as it was
  answered, every event must be logged, and the books and their chain of batches must verify.
- A lifecycle is five POSTs and about thirty messages on the bus: its events are in webhooks' log before the run counts.
- The database is vacuumed and analysed before each scenario, as autovacuum would have done on a server that has it on.
- CPU is read from /proc at both ends of the median round: user and system time per answer. RabbitMQ is the machine's own, so
  others' traffic would be in its column.
- Journals from memory: frames of {frame} commands go into the ledger's write path over {accounts:,} accounts, then onto one;
  inbox, outbox, replies and chain are on, the publisher confirms at once. {journals:,} journals a round.
- Idle memory is RSS three seconds after the start; PSS counts a page that n processes share as 1/n.
- A regression is a ratio at 64 connections, or of the journals, that falls by more than {fall:.0%} against the baseline.
  Rounds on a busy machine differ by 10 to 15 % and more: repeat a run before believing it. While others keep more than
  {others:g} cores busy no baseline is accepted.
"""


def write(results: Results, *, seconds: float, rounds: int) -> None:
    """Write the page."""
    PATH.parent.mkdir(exist_ok=True)
    machine = "\n".join(f"- {name}: {value}" for name, value in results.machine.items())
    parts = [
        _INTRODUCTION.format(machine=machine, rounds=rounds, seconds=seconds),
        _rates(results),
        _beside(results),
        _cpu(results),
        _memory(results),
        _METHOD.format(frame=FRAME, accounts=ACCOUNTS, journals=JOURNALS, fall=FALL, others=OTHERS_CORES),
    ]
    PATH.write_text("\n".join(parts))


def _rates(results: Results) -> str:
    lines = ["| what | connections | per second | ratio | p50 ms | p99 ms | target |", "|---|---:|---:|---:|---:|---:|---|"]
    for scenario, title in SCENARIOS.items():
        for connections in CONNECTIONS:
            it = results.figure(scenario, connections)
            lines.append(
                f"| {title} | {connections} | {it.per_second:,.0f} [{it.lowest:,.0f}-{it.highest:,.0f}] | {it.ratio:.3f} |"
                f" {it.p50_ms:.1f} | {it.p99_ms:.1f} | {_target(scenario, connections)} |"
            )
    return "\n".join(lines)


def _target(scenario: str, connections: int) -> str:
    if connections == max(CONNECTIONS):
        late = f", p99 ≤ {P99_MS:g} ms" if scenario in SINGLE else ""
        return f"≥ {PER_SECOND[scenario]:,}/s{late}"
    return f"p50 ≤ {ALONE_P50_MS:g} ms" if (scenario, connections) == ("create order", 1) else ""


def _beside(results: Results) -> str:
    calibration = results.calibrations["journals"]
    echoes = ", ".join(f"{value:,.0f}/s before {SCENARIOS.get(name, name)}" for name, value in results.calibrations.items())
    rows = [
        ("journals from memory, many accounts", results.journals_spread, results.spread, JOURNALS_PER_SECOND),
        ("journals from memory, one account", results.journals_hot, results.hot, round(HOT_SHARE * JOURNALS_PER_SECOND)),
    ]
    lines = ["", "| what | per second | ratio | target |", "|---|---:|---:|---|"]
    lines += [
        f"| {title} | {value:,.0f} [{min(all_):,.0f}-{max(all_):,.0f}] | {value / calibration:.3f} | ≥ {target:,}/s |"
        for title, all_, value, target in rows
    ]
    lines += [
        f"| {title}, {CROWD} connections, one gateway process and two "
        f"| {results.crowd[name][1]:,.0f}, {results.crowd[name][2]:,.0f} | | {'two do more' if name == 'get me' else ''} |"
        for name, title in CROWDED.items()
    ]
    lines += [
        "",
        f"Strangers on the machine kept {results.others:.2f} cores busy while the rounds ran.",
        f"Calibrations: {echoes}. CPU of the write path's process per journal: {results.journals_cpu_us:.0f} µs.",
        f"{results.events_logged:,} events were logged in the run, the last one {results.log_lag_seconds:.1f} s after the load.",
    ]
    return "\n".join(lines)


def _cpu(results: Results) -> str:
    named = [name for name in _ORDER if any(name in it.cpu_us for it in results.figures)]
    lines = ["", "## CPU per answer at 64 connections, µs", "", "| what | " + " | ".join(named) + " | all |"]
    lines.append("|---|" + "---:|" * (len(named) + 1))
    for scenario, title in SCENARIOS.items():
        cpu = results.figure(scenario).cpu_us
        cells = " | ".join(f"{cpu.get(name, 0):.0f}" for name in named)
        lines.append(f"| {title} | {cells} | {sum(cpu.values()):.0f} |")
    return "\n".join(lines)


def _memory(results: Results) -> str:
    rss, pss = results.idle_rss_mb, results.idle_pss_mb
    lines = ["", "## Idle memory, MB", "", "| process | RSS | PSS |", "|---|---:|---:|"]
    lines += [f"| {name} | {rss[name]:.0f} | {pss[name]:.0f} |" for name in rss]
    lines.append(f"| all (target ≤ {IDLE_MB} RSS) | {sum(rss.values()):.0f} | {sum(pss.values()):.0f} |")
    return "\n".join(lines)

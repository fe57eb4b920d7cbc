"""What `make bench-payouts` found: whether it meets the targets, and the page that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEDGER_MS: Final = 5_000
CHANNELS: Final = 10
CHANNELS_EACH: Final = 2
"""For each payouts process, where more of them are to add up: few enough that the cores are not the limit."""
AT_ONCE: Final = 64
BAD_SHARE: Final = 10
"""One in so many goes to an account that is not there, of which Horizon does not say so when the withdrawal is taken on."""
PER_MINUTE: Final = 3_000
ALONE_P95_SECONDS: Final = 10.0
DELAY_LEDGERS: Final = 2
"""Of a good withdrawal, from the ledger of its first transaction to that of the one that paid it."""
ADDING_UP: Final = 0.8
"""What each of several processes does, of what one does alone; a ledger more or less is a sixth."""


@dataclass(frozen=True)
class Figures:
    """What came of a crowd, one in so many of it to nowhere."""

    workers: int
    count: int
    seconds: float
    accepted_seconds: float
    delay_ledgers: int
    """By which the good one that waited longest for others' sake was late."""
    alone: list[float]
    machine: dict[str, str]
    costs: dict[str, float]
    """Milliseconds of CPU that a withdrawal of the crowd cost, by process."""

    @property
    def per_minute(self) -> float:
        """Withdrawals that were decided a minute, from the first request to the last entry in the books."""
        return 60 * self.count / self.seconds

    @property
    def alone_p95(self) -> float:
        """From the request to COMPLETED with nobody else about."""
        return sorted(self.alone)[max(0, -(-95 * len(self.alone) // 100) - 1)]


@dataclass(frozen=True)
class Scaled:
    """What so many processes with so many channels each did, when every destination was good."""

    workers: int
    count: int
    seconds: float
    held: list[int]
    """Channels that each process had at the end."""
    busy: float
    """Share of the machine's CPU that was used."""

    @property
    def per_minute(self) -> float:
        """Withdrawals that were decided a minute."""
        return 60 * self.count / self.seconds


def missed(runs: Sequence[Figures], scaled: Sequence[Scaled]) -> list[str]:
    """Name the targets that were missed."""
    facts = [fact for found in runs for fact in _facts(found)] + [
        fact for found in scaled for fact in _adding_up(found, scaled[0])
    ]
    return [text for is_good, text in facts if not is_good]


def _facts(found: Figures) -> list[tuple[bool, str]]:
    late = f"a good one was late by {found.delay_ledgers} ledgers, the most is {DELAY_LEDGERS}"
    return [
        (found.per_minute >= PER_MINUTE, f"{found.per_minute:,.0f} a minute, the target is {PER_MINUTE:,}"),
        (found.alone_p95 <= ALONE_P95_SECONDS, f"alone p95 {found.alone_p95:.1f} s, the target is {ALONE_P95_SECONDS:g} s"),
        (found.delay_ledgers <= DELAY_LEDGERS, late),
    ]


def _adding_up(found: Scaled, first: Scaled) -> list[tuple[bool, str]]:
    least = _least(found, first)
    slow = f"{found.per_minute:,.0f} a minute, the target is {least:,.0f}"
    idle = f"only {len(found.held)} had channels"
    return [(found.per_minute >= least, slow), (len(found.held) == found.workers, idle)]


def _least(found: Scaled, first: Scaled) -> float:
    return ADDING_UP * first.per_minute * found.workers / first.workers if found is not first else 0.0


def written(runs: Sequence[Figures], scaled: Sequence[Scaled]) -> str:
    """Write the figures down."""
    first = runs[0]
    machine = "\n".join(f"- {name}: {value}" for name, value in first.machine.items())
    return f"""# Payouts, measured

Made by `make bench-payouts`: a stack of its own with {CHANNELS} channels, and a sandbox network whose ledgers close every
{LEDGER_MS / 1000:g} s. {AT_ONCE} callers withdraw for {first.count:,} users, one in {BAD_SHARE} to an account that is not
there and of which Horizon does not say so: the network refuses the transaction that it is in. Every figure is from the API's
request to the books; the network's own balances are compared afterwards. Everything runs on this one machine, the network and
the bench too.

{machine}

{_crowd(runs)}

## More processes add up

A channel sends 100 payments a ledger, {100 * 60_000 // LEDGER_MS:,} a minute. Here are {CHANNELS_EACH} channels for each
payouts process, and every destination is good: channels are the limit, not the cores. Each process takes channels that are free
when it looks.

{_scale(scaled)}
"""


def _crowd(runs: Sequence[Figures]) -> str:
    first = runs[0]
    rows: list[tuple[str, str, list[str]]] = [
        (f"withdrawals a minute, {first.count:,} at once", f"{PER_MINUTE:,}", [f"{each.per_minute:,.0f}" for each in runs]),
        ("… until the API had taken all of them", "", [f"{each.accepted_seconds:.1f} s" for each in runs]),
        ("… until the last was decided and booked", "", [f"{each.seconds:.1f} s" for each in runs]),
        ("ledgers by which a good one was late, at most", f"{DELAY_LEDGERS}", [f"{each.delay_ledgers}" for each in runs]),
        ("PENDING to COMPLETED alone, p50", "", [f"{sorted(each.alone)[len(each.alone) // 2]:.1f} s" for each in runs]),
        (
            f"PENDING to COMPLETED alone, p95 of {len(first.alone)}",
            f"{ALONE_P95_SECONDS:g} s",
            [f"{each.alone_p95:.1f} s" for each in runs],
        ),
    ]
    rows += [(f"CPU a withdrawal, {name}", "", [f"{each.costs[name]:.2f} ms" for each in runs]) for name in first.costs]
    return _table([_processes(each.workers) for each in runs], rows)


def _scale(scaled: Sequence[Scaled]) -> str:
    target = f"{ADDING_UP * scaled[-1].workers / scaled[0].workers:g} times the first"
    rows: list[tuple[str, str, list[str]]] = [
        ("withdrawals", "", [f"{each.count:,}" for each in scaled]),
        ("withdrawals a minute", target, [f"{each.per_minute:,.0f}" for each in scaled]),
        ("channels that each process had", "", [", ".join(map(str, each.held)) for each in scaled]),
        ("how busy the machine was", "", [f"{each.busy:.0%}" for each in scaled]),
    ]
    return _table([_processes(each.workers) for each in scaled], rows)


def _processes(count: int) -> str:
    return f"{count} payouts process{'es' if count > 1 else ''}"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, str, list[str]]]) -> str:
    lines = [f"| | target | {' | '.join(heads)} |", f"|---|---:|{'---:|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {name} | {target} | {' | '.join(cells)} |" for name, target, cells in rows)])

"""Writes docs/reliability-payouts.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.chaos.payouts.herd import OWN_POINTS
from tests.chaos.payouts.run import CHANNELS, CLIENTS, LEDGER_MS, PROCESSES, QUIET_SECONDS, VICTIMS, Seen

PATH: Final = Path(__file__).resolve().parents[3] / "docs" / "reliability-payouts.md"

_INTRODUCTION: Final = """# Reliability of payouts

Written by `make chaos`; do not edit. A stack (`{processes}`, a signer, and
{victims} more payouts processes) with {channels} channels works for {clients} people on a sandbox of Stellar whose ledgers
close every {ledger_ms} ms, while its processes are killed with SIGKILL: each fault point of payouts at least {kills} times,
and at any moment payouts, its signer, the ledger service, webhooks, gateways and the network itself. Afterwards the stack
comes to rest, and the oracles compare the network's own account of what was paid with everything else.

{versions}
"""

_METHOD: Final = """
## What is done

- People sign up, pay USDC or lumens to their wallets on the chain, and withdraw them one after the other: to accounts that can
  be paid, that are not there, that have no trustline, and that give theirs up or close as soon as the withdrawal was accepted.
  One in ten has a memo, and one in seven is called off while it is under way. Every POST is repeated under its key until its
  answer is final.
- No two withdrawals have the same amount, so the chain alone tells which of them it paid, and how often.
- A process dies at the line at which its fault point stands. It is a fork of one that has imported everything, so that the next
  one is there a tenth of a second later; it comes back with the point that has killed least until then. One in ten comes back
  without any and is killed at some moment.
- Every quarter of a second half of the channels' leases, and the scan's, are ended early, also of those who work: two processes
  are on one channel, and two scan, all the time.
- Three in ten frames of commands and events are said again on the bus, up to three seconds late, so after others that came later.
- While it lasts wallets' keys are rotated to and fro by `rotate-keys`, which is killed too, and wallets as an older version wrote
  them are taken over.
- A backup is taken under load, load goes on, and the backup is put back under running processes. What it says is waiting has
  been paid: no channel may pay before a person has looked, and the chain must show no payment twice.
- A process that ends without having been killed is a breach, and so is an answer with status 500.

## How to repeat

    make chaos                                                      # this, after everything else
    .venv/bin/python -m tests.chaos --payouts --kills-per-point 100 # this alone, as often

The same points kill the same process inside `make test`: `tests/integration/payouts/test_slots.py`, `test_deposits.py`,
`test_accounts.py`, `test_signer.py`, `test_restored.py`.
"""


def write(seen: Seen) -> None:
    """Write the page."""
    introduction = _INTRODUCTION.format(
        processes=PROCESSES,
        victims=VICTIMS,
        channels=CHANNELS,
        clients=CLIENTS,
        ledger_ms=LEDGER_MS,
        kills=seen.wish.kills_per_point,
        versions=_versions(seen.versions),
    )
    PATH.write_text(
        "\n".join([introduction, _oracles(seen), _figures(seen), _points(seen), _kills(seen), _restored(seen), _METHOD])
    )


def _versions(named: Mapping[str, str]) -> str:
    return f"{named['broker']}, Postgres {named['Postgres']}, {named['system']}, {named['processor']}, commit {named['commit']}"


def _oracles(seen: Seen) -> str:
    found = [(each.fact, f"**breach**: {each.trouble}" if each.trouble else "holds") for each in seen.verdicts]
    found.append(("No process ended that was not killed", f"**breach**: {len(seen.surprises)}" if seen.surprises else "holds"))
    return _table("## What must hold afterwards", "oracle", "found", found, align="---")


def _figures(seen: Seen) -> str:
    quiet = "**not at rest**" if seen.quiet_seconds is None else f"{seen.quiet_seconds:.1f}"
    rows = list(seen.figures.items())
    rows += [("frames said twice on the bus", f"{seen.echoes:,}")]
    rows += [(f"seconds from the last kill to rest (at most {QUIET_SECONDS:g})", quiet)]
    return _table("\n## Figures", "what", "seen", rows)


def _points(seen: Seen) -> str:
    rows = [(f"`{point}`", str(seen.points[point])) for point in OWN_POINTS]
    return _table("\n## Deaths by fault point", "point", "times", [*rows, ("all", f"{seen.points.total():,}")])


def _kills(seen: Seen) -> str:
    return _table(
        "\n## Kills from outside", "process of", "times", [(name, str(count)) for name, count in sorted(seen.kills.items())]
    )


def _restored(seen: Seen) -> str:
    found = seen.restored
    rows = [
        ("payments that the chain has and the backup has not", f"{found.forgotten:,}"),
        ("withdrawals that wait, by the backup's account", f"{found.waiting:,}"),
        ("channels that were stopped for that", f"{found.stopped} of {found.channels}"),
        ("payments that the chain has twice", f"{found.twice}"),
        ("verdict", "; ".join(found.breaches()) or "holds"),
    ]
    return _table("\n## A backup is put back", "what", "seen", rows)


def _table(title: str, left: str, right: str, rows: list[tuple[str, str]], *, align: str = "---:") -> str:
    return "\n".join([title, "", f"| {left} | {right} |", f"|---|{align}|", *(f"| {name} | {value} |" for name, value in rows)])

"""Writes docs/reliability-webhooks.md."""

from pathlib import Path
from typing import Final

from tests.chaos.hooks import CROWD_TIMES, DUPLICATES_MOST, PATHS, Seen
from tests.chaos.hooks_load import AGGREGATES, RARE, REFUSED_SHARE
from tests.chaos.hooks_stack import PROCESSES
from tests.chaos.replays import Seen as Replayed
from tests.chaos.report import show_replay

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability-webhooks.md"
_PAGE: Final = """# Reliability of deliveries and streams

Written by `python -m tests.chaos --webhooks`; do not edit. `{processes}`, on a Postgres and a broker of their own; {versions}.

{events:,} events of {aggregates} aggregates are published as an outbox does, each part until the broker has confirmed it, while
all that carries them is killed with SIGKILL, {kills} times in turn by a plan drawn from seed {seed} ({servers}).
Another tenant brings one for each {crowd_times} of them, so that these are a crowd, a part of which waits in `webhooks.backlog`.
Some services come back with a fault point armed, and die again at that very line. Three endpoints receive:
{endpoints}. They answer {refused:.0%} of what comes with 500. {followers} readers follow the
stream of all events with keys of their own, break off again and again, and come back with their last id.

| what | must be | seen |
|---|---:|---:|
| kills from outside | | {killed} |
| deaths at a fault point | | {deaths} |
| seconds of load and kills | | {load:.0f} |
| seconds from then until all had arrived | at most {patience:g} | {rest:.0f} |
| deliveries accepted | | {deliveries:,} |
| answered with 500, and sent again | | {answered} |
| **events lost** | 0 | {lost} |
| **deliveries that came again after they had been accepted** | at most {most:.1%} | {duplicates} ({share:.2%}) |
| of them with another `webhook-id`, delivery id or body | 0 | {differing} |
| events before their turn, `per_aggregate` and `fifo` | 0 | {disorder} |
| readers' own disconnects, and others | {wanted} | {disconnects} and {breaks} |
| **positions missed, seen twice or out of order by a reader** | 0 | {wrong} |

Killed: {each}.

{verdict}
{replay}

## How to repeat

    .venv/bin/python -m tests.chaos --webhooks     # this page; exits 1 on a breach

`make chaos` does a fifth of it beside everything else. Which kill meets what is up to the machine.
"""


def write(seen: Seen, replayed: Replayed) -> None:
    """Write the page."""
    wish, breaches = seen.wish, seen.breaches()

    def having(text: str) -> int:
        return sum(text in fault for fault in seen.faults)

    named = seen.versions
    PATH.write_text(
        _PAGE.format(
            processes=PROCESSES,
            versions=f"{named['broker']}, Postgres {named['Postgres']}, {named['system']}, {named['processor']}, "
            f"commit {named['commit']}",
            events=wish.events,
            aggregates=AGGREGATES,
            crowd_times=CROWD_TIMES,
            kills=wish.kills,
            seed=wish.seed,
            servers=seen.servers,
            endpoints=", ".join(f"`{mode}` all" if kind != RARE else f"`{mode}` every tenth" for mode, kind in PATHS.values()),
            refused=REFUSED_SHARE,
            followers=wish.followers,
            killed=seen.kills.total(),
            deaths=seen.points.total(),
            load=seen.load_seconds,
            patience=wish.patience_seconds,
            rest=seen.rest_seconds,
            deliveries=seen.deliveries,
            answered=seen.refused,
            lost=having("are lost"),
            most=DUPLICATES_MOST,
            duplicates=seen.duplicates,
            share=seen.duplicates / seen.deliveries,
            differing=having("not the same as the first") + having(" came as "),
            disorder=having("came after") + having("not in the order"),
            wanted=f"at least {wish.disconnects}",
            disconnects=seen.disconnects,
            breaks=seen.breaks,
            wrong=having("follower "),
            each=", ".join(f"{name} {count} times" for name, count in sorted(seen.kills.items())),
            replay=show_replay(replayed),
            verdict="**Breaches**:\n\n" + "\n".join(f"- {breach}" for breach in breaches) if breaches else "All of it holds.",
        )
    )

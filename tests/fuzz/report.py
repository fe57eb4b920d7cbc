"""What a run of the fuzzer found, as a page."""

from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.bench.machine import commit
from tests.fuzz.run import Outcome
from tests.fuzz.stage import SCOPES

PATH: Final = Path(__file__).parents[2] / "docs" / "fuzzing.md"


_PAGE: Final = """\
# Fuzzing

Written by `make fuzz`; do not edit. [Schemathesis](https://schemathesis.readthedocs.io) reads the OpenAPI document that a
running gateway shows. It sends what the document allows, what it almost allows, and sequences in which the ids of one answer
become the next request's; with a key of each kind, against real services. All of its checks are on: no 5xx, no status, header,
content type or shape that is not documented, no valid data refused, no invalid data accepted, nothing left of what was deleted,
no way in without the key.

Seed {seed}, {minutes:g} minutes, schemathesis {version}, commit {commit}.

{figures}

## Answers

{answers}

## Complaints

{complaints}

## What is not held against an answer

- A request that fits its schema may be told 403, 404, 409 or 422: the rules of the business forbid it, or there is no such thing.
- NUL is not sent: no text takes it.

The ids in three of four requests are replaced by ones that exist and hosts in URLs by this machine. What a schema does not say is
made good where all else is: ranges of addresses, instants that must lie ahead, integers of more than 64 bits in metadata, refs
that an order has twice, and amounts of more than six digits before the point, of which a user could not hold a hundred. Cursors
are left out, because only an answer can give one, and so are the end of a replay, which depends on its beginning and on the
log, and what only the stream takes from the list of events.
"""


def write(outcomes: dict[str, Outcome], *, seed: int, minutes: float) -> None:
    """Write the page."""
    complaints = sorted({complaint for outcome in outcomes.values() for complaint in outcome.complaints})
    PATH.write_text(
        _PAGE.format(
            seed=seed,
            minutes=minutes,
            version=version("schemathesis"),
            commit=commit(),
            figures=_figures(outcomes),
            answers=_answers(outcomes),
            complaints="\n".join(f"- {complaint}" for complaint in complaints or ["none"]),
        )
    )


def _figures(outcomes: dict[str, Outcome]) -> str:
    found = outcomes.values()
    return _table(
        ["", *(f"a key with {', '.join(SCOPES[scope])}" for scope in outcomes)],
        [
            ["requests made up", *(f"{each.cases:,}" for each in found)],
            ["operations tried", *(str(each.operations) for each in found)],
            ["operations that succeeded at least once", *(str(each.reached) for each in found)],
            ["complaints", *(str(len(each.complaints)) for each in found)],
        ],
    )


def _answers(outcomes: dict[str, Outcome]) -> str:
    statuses = sorted({status for found in outcomes.values() for status in found.statuses})
    rows = [[str(status), *(f"{found.statuses[status]:,}" for found in outcomes.values())] for status in statuses]
    return _table(["status", *outcomes], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)

"""Writes docs/soak.md."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.soak.run import Options, Result

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "soak.md"

_PAGE: Final = """# Signatures under rotation

Written by `make soak`; do not edit. {endpoints} endpoints receive events at a steady pace while the secret of each is rotated
at least {rotations} times: the new one is staged for {stage} s, then the old one signs beside it for {overlap} s. Half of the
endpoints bring secrets of their own, the others take the platform's. One first attempt in {one_in} is refused after it was
verified and comes again, under whatever secrets sign by then.

{versions}

| what | seen |
|---|---:|
| events, each for {endpoints} endpoints | {users:,} |
| deliveries that arrived | {arrived:,} |
| requests, repeats of refused ones included | {requests:,} |
| rotations | {done} |
| requests with one, two signatures | {one:,}, {two:,} |
| seconds | {seconds:.0f} |
| deliveries missing at the end | {missing:,} |

Each request is verified as it arrives, with what its receiver knows at that moment, and once more with a bit of its body changed:

| check | accepted | forged ones accepted |
|---|---:|---:|
{checks}

Verdict: {verdict}.

## What is done

- The receivers rotate as [the guide](guides/webhooks.md) says. The libraries know one key, and it is replaced after three
  quarters of the time in which both sign. The check by hand knows both secrets from before the new one signs until after the old
  one has retired.
- The Node checks run in one process for the whole soak, the Python ones in the receiver.
- An event is a user who was created over HTTP; at the end every endpoint must have heard of every user.

## How to repeat

    make soak                                                       # writes this page; exits 1 on a breach
    .venv/bin/python -m tests.soak --deliveries 50000 --rotations 20    # longer

It needs Node and npm. A small soak without them is part of `make test`.
"""


def write(result: Result, options: Options, versions: Mapping[str, str]) -> None:
    """Write the page."""
    rows = [f"| {name} | {result.checks[name]:,} of {result.requests:,} | {result.forged[name]:,} |" for name in result.verifiers]
    libraries = f"standardwebhooks {version('standardwebhooks')} (PyPI), {versions['npm']} (npm), Node {versions['Node']}"
    named = [versions[name] for name in ("processor", "system")] + [libraries, f"commit {versions['commit']}"]
    breaches = "; ".join(result.breaches())
    page = _PAGE.format(
        endpoints=result.endpoints,
        rotations=options.rotations,
        stage=options.rotation.stage_seconds,
        overlap=options.rotation.overlap_seconds,
        one_in=round(1 / options.refusing),
        versions="\n".join(f"- {line}" for line in named),
        users=result.users,
        arrived=result.users * result.endpoints - result.missing,
        requests=result.requests,
        done=result.rotations,
        one=result.signatures[1],
        two=result.signatures[2],
        seconds=result.seconds,
        missing=result.missing,
        checks="\n".join(rows),
        verdict=f"**breach**: {breaches}" if breaches else "holds",
    )
    PATH.write_text(page)

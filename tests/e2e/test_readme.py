"""The lines of the README's first minute do what they say, run as they stand."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.walkthrough import blocks, play, write_run_env

README = Path(__file__).parents[2] / "README.md"
_SECONDS = 60


def _lines() -> str:
    """Return the shell block that begins by reading run.env."""
    return next(block.text for block in blocks(README) if block.text.startswith(". .local/run.env"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the lines are for curl")
def test_the_first_escrow_pays_the_seller(stack: dict[str, str], tmp_path: Path) -> None:
    write_run_env(tmp_path, stack)
    (output,) = play([_lines()], tmp_path, os.environ, seconds=_SECONDS)
    answers = [json.loads(line) for line in output.splitlines()]
    assert all("data" in answer for answer in answers), output
    credited, reserved, opened, funded, buyer, released, seller = (answer["data"] for answer in answers)
    assert [data["status"] for data in (reserved, opened, funded, released)] == [
        "FUNDS_RESERVED",
        "PENDING",
        "FUNDED",
        "RELEASED",
    ]
    assert (credited["operation"], credited["available"]) == ("CREDIT", "250.00")
    usd = [next(line for line in data["balances"] if line["currency"] == "USD") for data in (buyer, seller)]
    assert [(line["available"], line["held"]) for line in usd] == [("150.00", "100.00"), ("100.00", "0.00")]

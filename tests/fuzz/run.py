"""One run of schemathesis: every operation of the document a gateway shows, with one key, for some seconds."""

import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.fuzz.stage import Stage

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
GRACE_SECONDS = 60
"""For starting up, shrinking and writing the report."""
_SERVER_ERRORS = 500
_PARTS = (("examples,coverage,fuzzing", 2 / 3), ("stateful", 1 / 3))
"""Phases, and their share of the time: left to itself the first takes all of it."""


@dataclass(frozen=True)
class Outcome:
    """What a run found."""

    complaints: list[str]
    """What schemathesis says against us: nothing, when all is well."""
    cases: int
    operations: int
    answers: dict[str, int]
    """How often `METHOD path status` was met."""
    told: str
    """Everything that was printed, with the commands that reproduce a complaint."""

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was met."""
        found: Counter[int] = Counter()
        for label, count in self.answers.items():
            found[_status(label)] += count
        return found

    @property
    def reached(self) -> int:
        """How many operations succeeded at least once."""
        return len({label.rpartition(" ")[0] for label in self.answers if 200 <= _status(label) < 300})


async def fuzz(api_url: str, stage: Stage, directory: Path, *, seed: int, seconds: int, shrink: bool = False) -> Outcome:
    """Fuzz a running stack; files go to `directory`."""
    found = []
    for phases, share in _PARTS:
        room = directory / phases
        room.mkdir()
        part = replace(stage, answers=room / "answers.json")
        found.append(await _run(api_url, part, room, phases, seed=seed, seconds=round(seconds * share), shrink=shrink))
    return _together(found)


def _together(parts: list[Outcome]) -> Outcome:
    answers: Counter[str] = Counter()
    for part in parts:
        answers.update(part.answers)
    return Outcome(
        complaints=[complaint for part in parts for complaint in part.complaints],
        cases=sum(part.cases for part in parts),
        operations=max(part.operations for part in parts),
        answers=dict(answers),
        told="\n".join(part.told for part in parts),
    )


async def _run(api_url: str, stage: Stage, directory: Path, phases: str, *, seed: int, seconds: int, shrink: bool) -> Outcome:
    report, kept = directory / "report.json", directory / "stage.json"
    stage.save(kept)
    parts = urlsplit(api_url)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", f"{api_url}/openapi.json"),
        *("--url", f"{parts.scheme}://{parts.netloc}", "--header", f"Authorization: Bearer {stage.key}", "--checks", "all"),
        *("--phases", phases, "--seed", str(seed), "--max-time", str(seconds)),
        *("--continue-on-failure", "--generation-database", "none"),
        *("--request-timeout", "20", "--report", "json", "--report-json-path", str(report), "--warnings", "off", "--no-color"),
        *(() if shrink else ("--no-shrink",)),
    ]
    told = {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "OFFERHUB_FUZZ_STAGE": str(kept), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=os.environ | told, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _outcome(output.decode(errors="replace"), report, stage.answers)


def _outcome(told: str, report: Path, answers: Path) -> Outcome:
    if not report.exists() or not answers.exists():
        return Outcome(["it did not come to its end"], 0, 0, {}, told)
    found = json.loads(report.read_text())
    complaints = [f"{each['title']}: {', '.join(each['operations'])}" for each in found["failures"]]
    complaints += [str(error) for error in found["errors"]]
    met = json.loads(answers.read_text())
    complaints += [f"a server error: {label}" for label in met if _status(label) >= _SERVER_ERRORS]
    return Outcome(complaints, found["test_cases"]["generated"], found["operations"]["tested"], met, told)


def _status(label: str) -> int:
    return int(label.rpartition(" ")[2])

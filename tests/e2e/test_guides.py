"""The guides do what they say: their commands run in a checkout where nothing runs yet, and are answered as printed."""

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client_docs.compare import differences
from tests.support.walkthrough import blocks, play, without_stack

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
_SECONDS = 240

pytestmark = [
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("make")), reason="the commands are for make and curl"),
    pytest.mark.skipif(not (ROOT / ".venv" / ".ready").exists(), reason="make setup has not been run here"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout made of links to this one, without its state."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", ".local"):
            (tmp_path / entry.name).symlink_to(entry)
    yield tmp_path
    if (tmp_path / ".local").exists():
        clean = [str(ROOT / ".venv" / "bin" / "python"), "-m", "deploy.local", "clean"]
        subprocess.run(clean, cwd=tmp_path, env=without_stack(), capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_the_guide_runs_and_is_answered_as_printed(guide: Path, checkout: Path) -> None:
    told = blocks(guide)
    commands = [block for block in told if block.language == "sh"]
    printed = play([block.text for block in commands], checkout, without_stack() | {"PORT": "0"}, seconds=_SECONDS)
    outputs = dict(zip(commands, printed, strict=True))
    answers = [(before, after) for before, after in itertools.pairwise(told) if after.language == "json"]
    assert len(answers) > 3
    found = {
        f"{guide.name}:{answer.line}": differences(json.loads(answer.text), json.loads(outputs[command]))
        for command, answer in answers
    }
    assert {place: lines for place, lines in found.items() if lines} == {}

"""The guides do what they say: their commands are run as they stand, and answered as printed.

The quickstart is played in a checkout where nothing runs yet, make and all. The others are played on the stack of the stories, in
a marketplace of their own, without the lines that start and stop one.
"""

import asyncio
import dataclasses
import itertools
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.embedded_postgres import free_port
from tests.e2e.market import Market
from tests.support.client_docs.compare import differences
from tests.support.walkthrough import Block, blocks, lay_out, play, without_stack, write_run_env

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "guides"
QUICKSTART, WEBHOOKS = FOLDER / "quickstart.md", FOLDER / "webhooks.md"
OTHERS = sorted(path for path in FOLDER.glob("*.md") if path != QUICKSTART)
LAUNCHES = {"make start", "make stop"}
NODE_MODULES = Path(os.environ.get("OFFERHUB_NODE_MODULES") or ROOT) / "node_modules"
_SECONDS = 240

pytestmark = [
    pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are for curl"),
    pytest.mark.skipif(not (ROOT / ".venv" / ".ready").exists(), reason="make setup has not been run here"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout made of links to this one, without its state."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", ".local"):
            (tmp_path / entry.name).symlink_to(entry)
    yield tmp_path
    if (tmp_path / ".local").is_dir():
        clean = [str(ROOT / ".venv" / "bin" / "python"), "-m", "deploy.local", "clean"]
        subprocess.run(clean, cwd=tmp_path, env=without_stack(), capture_output=True, timeout=60, check=False)


@pytest.fixture
async def desk(market: Market, stack: dict[str, str], tmp_path: Path) -> Path:
    """A directory from where the stories' stack runs, for the keys of a marketplace where nothing has happened yet."""
    marketplace, keys = f"guides-{secrets.token_hex(6)}", dict[str, str]()
    for name, scopes in (("OFFERHUB_API_KEY", ["read", "write"]), ("OFFERHUB_SUPPORT_KEY", ["read", "write", "support"])):
        body = {"name": name, "scopes": scopes, "marketplace": marketplace}
        keys[name] = (await market.make("/auth/api-keys", body, key=stack["OFFERHUB_MASTER_KEY"]))["key"]
    write_run_env(tmp_path, stack | keys)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.mark.skipif(shutil.which("make") is None, reason="its commands are for make")
def test_the_quickstart_runs_and_is_answered_as_printed(checkout: Path) -> None:
    assert_answered_as_printed(QUICKSTART, blocks(QUICKSTART), checkout, PORT="0")


@pytest.mark.parametrize("guide", OTHERS, ids=lambda guide: guide.stem)
async def test_the_guide_runs_and_is_answered_as_printed(guide: Path, desk: Path) -> None:
    told = [block for block in blocks(guide) if "Node" not in block.section]
    await asyncio.to_thread(play_beside_the_stories, guide, told, desk)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (NODE_MODULES / "standardwebhooks").is_dir(),
    reason=f"no standardwebhooks in {NODE_MODULES}: install it there, or name the directory above in OFFERHUB_NODE_MODULES",
)
async def test_the_receivers_in_node_accept_what_is_delivered(desk: Path) -> None:
    told = [block for block in blocks(WEBHOOKS) if block.section.startswith(("1.", "3.")) or "Node" in block.section]
    (desk / "node_modules").symlink_to(NODE_MODULES)
    await asyncio.to_thread(play_beside_the_stories, WEBHOOKS, told, desk)


def play_beside_the_stories(guide: Path, told: Sequence[Block], directory: Path) -> None:
    """Play a guide on a stack that runs already; its receivers listen on a port that is free."""
    lines = [dataclasses.replace(block, text=without_launches(block.text)) for block in told]
    assert_answered_as_printed(guide, lines, directory, HOOK_PORT=str(free_port()))


def without_launches(script: str) -> str:
    """Leave out the lines that start and stop a stack, which the quickstart proves."""
    return "".join(line for line in script.splitlines(keepends=True) if line.strip() not in LAUNCHES)


def assert_answered_as_printed(guide: Path, told: Sequence[Block], directory: Path, **environment: str) -> None:
    """Play blocks of a guide, and compare what the shell ones answered with what is printed after them."""
    lay_out(told, directory)
    commands = [block for block in told if block.language == "sh" and not block.text.startswith("npm ")]
    printed = play([block.text for block in commands], directory, without_stack() | environment, seconds=_SECONDS)
    outputs = dict(zip(commands, printed, strict=True))
    answers = [(before, after) for before, after in itertools.pairwise(told) if after.language == "json"]
    assert answers
    found = {
        f"{guide.name}:{answer.line}": differences(json.loads(answer.text), json.loads(outputs[command]))
        for command, answer in answers
    }
    assert {place: lines for place, lines in found.items() if lines} == {}

"""Schemathesis with all its checks and each kind of key, 15 seconds each; `make fuzz` goes on for longer, from other seeds."""

from pathlib import Path

import httpx
import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.stage import SCOPES, set_up

pytestmark = pytest.mark.e2e
SECONDS = 15
SEED = 1
LEAST_REACHED = 12
"""As many operations have to succeed, however slow the machine: a run that is only refused shows nothing."""


@pytest.mark.parametrize("scope", SCOPES)
async def test_nothing_speaks_against_an_answer(stack: dict[str, str], tmp_path: Path, scope: str) -> None:
    async with httpx.AsyncClient(base_url=stack["OFFERHUB_API_URL"], timeout=30, trust_env=False) as client:
        stage = await set_up(client, scope=scope, master_key=stack["OFFERHUB_MASTER_KEY"], answers=tmp_path / "answers.json")
        found = await fuzz(stack["OFFERHUB_API_URL"], stage, tmp_path, seed=SEED, seconds=SECONDS)
    assert found.complaints == [], found.told
    assert found.reached >= LEAST_REACHED, found.told

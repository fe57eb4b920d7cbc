"""One sandbox a test, in a directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.horizon import Sandbox, sandbox


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A chain with Ann, Bob and an issuer on it, whose ledgers close on demand."""
    async with sandbox(tmp_path / "chain") as running:
        await running.accounts("ann", "bob", "issuer")
        yield running

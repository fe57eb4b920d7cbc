"""A sample of `make chaos-lies`: every lie once, two at a time, while withdrawals and deposits are on their way."""

from pathlib import Path

import pytest

from libs.common.persistence.migrate import migrate
from tests.chaos.lies import LIES, stage
from tests.support.workers import ROLE_SECRET, settings

pytestmark = pytest.mark.integration
PAIRS = tuple(zip(list(LIES)[::2], list(LIES)[1::2], strict=True))


async def test_whatever_two_lies_are_told_at_once_everybody_is_paid_once_and_credited_once(
    tmp_path: Path, postgres_url: str, amqp_url: str, bus_prefix: str
) -> None:
    await migrate(postgres_url, role_secret=ROLE_SECRET)
    async with stage(tmp_path / "chain", settings(postgres_url, amqp_url, bus_prefix)) as opened:
        for pair in PAIRS:
            await opened.play(pair, seed=1)
        await opened.settle_up()
    assert opened.seen.breaches == []
    assert opened.seen.plays == len(PAIRS)

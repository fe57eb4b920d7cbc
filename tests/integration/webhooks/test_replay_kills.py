"""A replay goes on where it was when the process that made its steps is killed for real; the long version is `make chaos`."""

import pytest

from services.webhooks.settings import WebhooksSettings
from tests.chaos.replays import Wish, replay_under_kills

pytestmark = pytest.mark.integration


async def test_a_replay_survives_a_kill(config: WebhooksSettings) -> None:
    wish = Wish(events=250, kills=0, processes=1, first_fault="replay.enqueued:2", patience_seconds=40)
    seen = await replay_under_kills(config, wish)
    assert seen.points.total() >= 1, "nobody died"
    assert seen.breaches() == []

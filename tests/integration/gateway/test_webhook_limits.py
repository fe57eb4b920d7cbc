"""An endpoint's order and pace over HTTP: given when it is made, changed, removed and shown, and refused by name."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.webhooks.app import build
from tests.support.gateway import Served, fields_of
from tests.support.webhooks import webhooks_settings
from tests.support.workers import running

pytestmark = pytest.mark.integration
WANTED: dict[str, Any] = {"url": "https://your-app.com/webhooks", "events": ["escrow.*"]}
LIMITS = ("order_mode", "max_in_flight", "max_per_second")


@pytest.fixture(autouse=True)
async def _webhooks(served: Served, postgres_url: str, amqp_url: str, bus_prefix: str) -> AsyncIterator[None]:
    settings = webhooks_settings(postgres_url, amqp_url, bus_prefix, allow_private=False)
    async with running(build(settings), settings):
        yield


def _limits(answer: Any) -> tuple[Any, ...]:
    assert answer.status_code < 300, answer.text
    return tuple(answer.json()["data"][name] for name in LIMITS)


async def test_limits_are_given_changed_removed_and_shown(served: Served) -> None:
    assert _limits(await served.client.post("/webhooks", json=WANTED)) == ("parallel", None, None)
    made = await served.client.post("/webhooks", json=WANTED | {"order_mode": "fifo", "maxInFlight": 2, "max_per_second": 50})
    assert _limits(made) == ("fifo", 2, 50)
    path = f"/webhooks/{made.json()['data']['id']}"
    changed = {"order_mode": "per_aggregate", "max_in_flight": None}
    assert _limits(await served.client.patch(path, json=changed)) == ("per_aggregate", None, 50)
    assert _limits(await served.client.patch(path, json={"description": "ours"})) == ("per_aggregate", None, 50)
    assert _limits(await served.client.get(path)) == ("per_aggregate", None, 50)


@pytest.mark.parametrize(
    ("name", "value"),
    [("order_mode", "lifo"), ("max_in_flight", 0), ("max_in_flight", 65), ("max_per_second", 1_001), ("max_per_second", 1.5)],
)
async def test_a_limit_out_of_bounds_is_refused_by_name(served: Served, name: str, value: object) -> None:
    made = (await served.client.post("/webhooks", json=WANTED)).json()["data"]
    for answer in (
        await served.client.post("/webhooks", json=WANTED | {name: value}),
        await served.client.patch(f"/webhooks/{made['id']}", json={name: value}),
    ):
        assert answer.status_code == 400
        assert fields_of(answer) == [name]
    assert (await served.client.get(f"/webhooks/{made['id']}")).json()["data"]["updated_at"] == made["updated_at"]

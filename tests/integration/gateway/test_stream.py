"""The event stream: every event once and in order, whatever happens to connections, gateways and announcements."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from libs.common.kernel.ids import Tenant, new_id
from services.gateway.handlers.streams import Pace
from services.gateway.settings import GatewaySettings
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.gateway import Served, error_of, fields_of, make_key, serving
from tests.support.streams import SSE, positions, streaming
from tests.support.webhooks import webhooks_settings
from tests.support.workers import running, until

pytestmark = pytest.mark.integration
QUICK = Pace(beat=0.2, patience=0.5, renewal=0.2, lease=2.0, look=0.1)


@dataclass
class Shop:
    """A marketplace with a key of its own, and a hand on its events."""

    tenant: Tenant
    key_id: str
    headers: dict[str, str]
    config: WebhooksSettings
    logged: int = 0

    async def happens(self, amount: int, *, data: object = None, **others: str) -> None:
        """Have so many things happen, in one frame."""
        numbers = range(self.logged + 1, self.logged + amount + 1)
        self.logged += amount
        await publish(self.config, [[event(self.tenant, "order:1", number, data=data, **others) for number in numbers]])

    async def is_logged(self, client: httpx.AsyncClient) -> None:
        """Wait until all of it is in the log."""

        async def is_there() -> bool:
            last = {"after": max(0, self.logged - 1)}
            return bool((await client.get("/events", params=last, headers=self.headers)).json()["data"])

        await until(is_there)


@pytest.fixture
async def log(config: GatewaySettings) -> AsyncIterator[WebhooksSettings]:
    """A webhooks service that runs."""
    settings = webhooks_settings(config.database_url.get_secret_value(), config.amqp_url.get_secret_value(), config.bus_prefix)
    async with running(build(settings), settings):
        yield settings


@pytest.fixture
async def desk(config: GatewaySettings) -> AsyncIterator[Served]:
    async with serving(config, pace=QUICK) as running_gateway:
        await running_gateway.gateway.link.wait_up(10)
        yield running_gateway


@pytest.fixture
async def other(config: GatewaySettings) -> AsyncIterator[Served]:
    async with serving(config, pace=QUICK) as running_gateway:
        await running_gateway.gateway.link.wait_up(10)
        yield running_gateway


async def open_shop(served: Served, log: WebhooksSettings) -> Shop:
    marketplace = new_id("req").replace("_", "-")
    made = await make_key(served, marketplace=marketplace)
    return Shop(Tenant(f"{marketplace}:live"), made["id"], served.keyed(made["key"]), log)


@pytest.fixture
async def shop(desk: Served, log: WebhooksSettings) -> Shop:
    return await open_shop(desk, log)


async def test_events_come_as_they_happen_and_carry_what_webhooks_carry(desk: Served, shop: Shop) -> None:
    async with streaming(desk.client, shop.headers) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert stream.response.headers["x-request-id"]
        assert 1_000 <= stream.retry_ms <= 3_000
        await shop.happens(3)
        frames = await stream.take(3)
    assert positions(frames) == [1, 2, 3]
    assert {frame.event for frame in frames} == {"order.created"}
    [first, *_] = frames
    assert list(first.data) == ["id", "type", "created_at", "sequence", "data"]
    assert first.data["data"] == {"n": 1}


async def test_500_disconnects_at_random_points_lose_nothing_and_double_nothing(desk: Served, other: Served, shop: Shop) -> None:
    """Five clients, each a hundred times, against two gateways in turns, while events go on happening."""
    total, clients = 1_000, 5

    async def go_on_happening() -> None:
        while shop.logged < total:
            await shop.happens(min(total - shop.logged, 25))

    async def read(seed: int) -> list[int]:
        dice, seen, reconnects = random.Random(seed), list[int](), 0
        made = await make_key(desk, marketplace=shop.tenant.partition(":")[0])
        while len(seen) < total or reconnects < 500 // clients:
            gateway = dice.choice((desk, other))
            cursor = {"Last-Event-ID": str(seen[-1] if seen else 0)}
            async with streaming(gateway.client, desk.keyed(made["key"]) | cursor) as stream:
                seen += positions(await stream.take(min(dice.randint(0, 20), total - len(seen))))
            reconnects += 1
        return seen

    *everybody, _ = await asyncio.gather(*map(read, range(clients)), go_on_happening())
    assert everybody == [list(range(1, total + 1))] * clients


async def test_nothing_is_missed_when_announcements_are_lost(desk: Served, shop: Shop) -> None:
    desk.gateway.streams._notices.hear = lambda _tenant, _notice: None
    async with streaming(desk.client, shop.headers) as stream:
        await shop.happens(5)
        assert positions(await stream.take(5)) == [1, 2, 3, 4, 5]


async def test_announcements_alone_are_enough(config: GatewaySettings, log: WebhooksSettings) -> None:
    async with serving(config, pace=replace(QUICK, look=3_600)) as served:
        await served.gateway.link.wait_up(10)
        shop = await open_shop(served, log)
        async with streaming(served.client, shop.headers) as stream:
            await shop.happens(2)
            assert positions(await stream.take(2)) == [1, 2]


async def test_a_start_is_chosen_by_header_cursor_or_instant(desk: Served, shop: Shop) -> None:
    await shop.happens(300)
    await shop.is_logged(desk.client)
    async with streaming(desk.client, shop.headers, cursor=120) as stream:
        assert positions(await stream.take(180)) == list(range(121, 301))
    async with streaming(desk.client, shop.headers | {"Last-Event-ID": "298"}, cursor=1) as stream:
        assert positions(await stream.take(2)) == [299, 300]
    async with streaming(desk.client, shop.headers, since="2020-01-01") as stream:
        assert positions(await stream.take(1)) == [1]
    async with streaming(desk.client, shop.headers, since="2090-01-01") as stream:
        assert stream.last_id == "300"


async def test_since_begins_with_the_first_event_of_its_instant(desk: Served, shop: Shop, owner: asyncpg.Connection) -> None:
    for _ in range(4):
        await shop.happens(5)
        await shop.is_logged(desk.client)
    rows = await owner.fetch("SELECT position, logged_at FROM webhooks.event_log WHERE tenant = $1", shop.tenant)
    times = {row["position"]: row["logged_at"] for row in rows}
    instant = times[13]
    first = min(position for position, logged_at in times.items() if logged_at == instant)
    async with streaming(desk.client, shop.headers, since=instant.isoformat()) as stream:
        assert positions(await stream.take(1)) == [first]


@pytest.mark.parametrize(
    ("headers", "params", "field"),
    [
        ({"Last-Event-ID": "evt_1"}, {}, "Last-Event-ID"),
        ({"Last-Event-ID": "7"}, {}, "Last-Event-ID"),
        ({"Last-Event-ID": "-1"}, {}, "Last-Event-ID"),
        ({}, {"cursor": "x"}, "cursor"),
        ({}, {"cursor": "1"}, "cursor"),
        ({}, {"since": "yesterday"}, "since"),
        ({}, {"since": "2026-01-01", "cursor": "0"}, "since"),
        ({}, {"events": "order.invented"}, "events"),
        ({}, {"user_id": "'"}, "user_id"),
        ({}, {"takeover": "yes"}, "takeover"),
        ({}, {"limit": "5"}, "limit"),
        ({"Accept": "application/json"}, {"cursor": "0"}, "cursor"),
    ],
)
async def test_a_bad_start_or_filter_is_refused_by_name(
    desk: Served, shop: Shop, headers: dict[str, str], params: dict[str, str], field: str
) -> None:
    answer = await desk.client.get("/events", headers=shop.headers | SSE | headers, params=params)
    assert fields_of(answer) == [field]


async def test_filters_choose_and_pings_move_the_cursor_past_the_rest(desk: Served, shop: Shop) -> None:
    async with streaming(desk.client, shop.headers, events="escrow.*, order.closed") as stream:
        await shop.happens(2)
        await shop.happens(1, kind="escrow.funded")
        await shop.happens(1, kind="order.closed")
        assert [(frame.event, frame.id) for frame in await stream.take(2)] == [("escrow.funded", "3"), ("order.closed", "4")]
        await shop.happens(6)

        async def is_past() -> bool:
            return (await stream.next()).id == "10"

        await until(is_past)


async def test_a_users_stream_has_what_concerns_the_user(desk: Served, shop: Shop, owner: asyncpg.Connection) -> None:
    await shop.happens(3)
    await shop.is_logged(desk.client)
    await owner.execute(
        """UPDATE webhooks.event_log SET user_ids = '["usr_7"]' WHERE tenant = $1 AND position = 2""", shop.tenant
    )
    async with streaming(desk.client, shop.headers, cursor=0, user_id="usr_7") as stream:
        assert positions(await stream.take(1)) == [2]


async def test_two_tenants_never_see_each_other(desk: Served, shop: Shop, log: WebhooksSettings) -> None:
    neighbour = await open_shop(desk, log)
    async with streaming(desk.client, shop.headers) as mine, streaming(desk.client, neighbour.headers) as theirs:
        await neighbour.happens(3, data={"whose": "theirs"})
        assert [frame.data["data"] for frame in await theirs.take(3)] == [{"whose": "theirs"}] * 3
        await shop.happens(1, data={"whose": "mine"})
        assert [frame.data["data"] for frame in await mine.take(1)] == [{"whose": "mine"}]


async def test_the_door_of_a_stream_is_the_door_of_every_read(desk: Served, shop: Shop) -> None:
    writer = await make_key(desk, marketplace=shop.tenant.partition(":")[0], scopes=["write"])
    for headers, status in (({"Authorization": "Bearer nonsense"}, 401), (desk.keyed(writer["key"]), 403)):
        refused = await desk.client.get("/events", headers=headers | SSE)
        assert refused.status_code == status
        error_of(refused)


async def test_what_is_not_kept_is_told_by_one_reset(desk: Served, shop: Shop, owner: asyncpg.Connection) -> None:
    await shop.happens(300)
    await shop.is_logged(desk.client)
    await owner.execute("DELETE FROM webhooks.event_log WHERE tenant = $1 AND position <= 290", shop.tenant)
    async with streaming(desk.client, shop.headers, cursor=5) as stream:
        reset, *frames = await stream.take(11)
    assert (reset.event, reset.id, reset.data) == ("reset", "290", {"after": 5, "continues_with": 291})
    assert positions(frames) == list(range(291, 301))
    await owner.execute("DELETE FROM webhooks.event_log WHERE tenant = $1", shop.tenant)
    async with streaming(desk.client, shop.headers, cursor=5) as stream:
        [reset] = await stream.take(1)
        assert reset.data == {"after": 5, "continues_with": 301}
        await shop.happens(1)
        assert positions(await stream.take(1)) == [301]


async def test_a_user_has_one_stream_whichever_gateway_is_asked(desk: Served, other: Served, shop: Shop) -> None:
    async with streaming(desk.client, shop.headers), streaming(other.client, shop.headers, user_id="usr_1"):
        refused = await other.client.get("/events", headers=shop.headers | SSE)
        assert refused.status_code == 429
        error = error_of(refused)
        assert (error["code"], error["message"], error["details"]["limit"]) == ("RATE_LIMITED", "Too many requests", 1)
        assert refused.headers["retry-after"] == str(error["details"]["retry_after"])
    async with streaming(other.client, shop.headers):
        pass


async def test_takeover_ends_the_first_stream_at_once(config: GatewaySettings, log: WebhooksSettings, desk: Served) -> None:
    async with serving(config, pace=replace(QUICK, renewal=3_600, lease=3_600)) as first:
        await first.gateway.link.wait_up(10)
        shop = await open_shop(first, log)
        async with streaming(first.client, shop.headers) as old, streaming(desk.client, shop.headers, takeover="true") as new:
            assert await old.rest(seconds=2) == []
            await shop.happens(1)
            assert positions(await new.take(1)) == [1]
    assert not first.gateway.streams._open


async def test_a_takeover_that_is_not_announced_is_noticed_by_the_lease(desk: Served, other: Served, shop: Shop) -> None:
    desk.gateway.streams._notices.hear = lambda _tenant, _notice: None
    async with streaming(desk.client, shop.headers) as old, streaming(other.client, shop.headers, takeover="true"):
        assert await old.rest(seconds=5) == []


async def test_the_lease_of_a_killed_gateway_ends_by_itself(desk: Served, shop: Shop, owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO gateway.leases VALUES ($1, $2, '', 'req_dead', now() + interval '1 hour')", shop.tenant, shop.key_id
    )
    assert (await desk.client.get("/events", headers=shop.headers | SSE)).status_code == 429
    await owner.execute("UPDATE gateway.leases SET expires_at = now() WHERE holder = 'req_dead'")
    async with streaming(desk.client, shop.headers):
        end = await owner.fetchval("SELECT expires_at FROM gateway.leases WHERE tenant = $1", shop.tenant)
        renewed = "SELECT expires_at > $2 FROM gateway.leases WHERE tenant = $1"
        await until(lambda: owner.fetchval(renewed, shop.tenant, end))
        assert (await desk.client.get("/events", headers=shop.headers | SSE)).status_code == 429


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE gateway.api_keys SET revoked_at = now() WHERE id = $1",
        "UPDATE gateway.api_keys SET expires_at = now() WHERE id = $1",
        "UPDATE gateway.api_keys SET replaced_by = 'key_2', retires_at = now() WHERE id = $1",
        "DELETE FROM gateway.api_keys WHERE id = $1",
    ],
)
async def test_a_key_that_ends_ends_its_stream(desk: Served, shop: Shop, owner: asyncpg.Connection, end: str) -> None:
    async with streaming(desk.client, shop.headers) as stream:
        await shop.happens(1)
        await stream.take(1)
        await owner.execute(end, shop.key_id)
        assert await stream.rest(seconds=5) == []
    assert (await desk.client.get("/events", headers=shop.headers | SSE)).status_code == 401


async def test_a_drain_ends_streams_with_a_hint_when_to_come_back(config: GatewaySettings, log: WebhooksSettings) -> None:
    async with serving(config, pace=QUICK) as served:
        await served.gateway.link.wait_up(10)
        shop = await open_shop(served, log)
        async with streaming(served.client, shop.headers) as stream:
            stream.retry_ms = 0
            served.gateway.drain()
            assert await stream.rest(seconds=5) == []
            assert stream.retry_ms >= 1_000
            assert (await served.client.get("/events", headers=shop.headers | SSE)).status_code == 503
            assert (await served.client.get("/events", headers=shop.headers)).status_code == 200


async def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody(desk: Served, shop: Shop) -> None:
    for _ in range(75):  # more than the kernel's own buffers take
        await shop.happens(2, data={"filler": "x" * 60_000})
    await shop.is_logged(desk.client)
    told = ["GET /api/v1/events?cursor=0 HTTP/1.1", "Host: x", "Accept: text/event-stream"]
    told += [f"{name}: {value}" for name, value in shop.headers.items()]
    async with streaming(desk.client, shop.headers, user_id="usr_1"):
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", desk.port))
            deaf.sendall(("\r\n".join(told) + "\r\n\r\n").encode())
            ended = _ended("slow")
            await until(lambda: _open_streams(desk, 2))
            await until(lambda: _open_streams(desk, 1))
            assert _ended("slow") == ended + 1
    await until(lambda: _open_streams(desk, 0))


async def _open_streams(served: Served, amount: int) -> bool:
    return len(served.gateway.streams._open) == amount


def _ended(reason: str) -> float:
    return REGISTRY.get_sample_value("offerhub_streams_ended_total", {"reason": reason}) or 0


async def test_open_streams_are_no_requests_in_flight(desk: Served, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.entrypoints.http.edge.IN_FLIGHT_MAX", 1)
    monkeypatch.setattr("services.gateway.handlers.streams.STREAMS_MAX", 2)
    async with streaming(desk.client, shop.headers), streaming(desk.client, shop.headers, user_id="usr_1"):
        assert (await desk.client.get("/me", headers=shop.headers)).status_code == 200
        full = await desk.client.get("/events", headers=shop.headers | SSE, params={"user_id": "usr_2"})
        assert full.status_code == 503

"""Endpoints that want their deliveries in order get them so, whatever fails, whoever dies, and nothing is skipped."""

from collections import Counter
from datetime import timedelta
from itertools import groupby

import asyncpg
import msgspec
import pytest
from aiohttp import web

from libs.common.contracts.commands.webhooks import CreateEndpoint, UpdateEndpoint
from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.ids import Tenant, derive_id, new_id
from services.webhooks.app import build
from services.webhooks.settings import WebhooksSettings
from tests.support.dispatching import DueTable, lane_room
from tests.support.events import event, publish
from tests.support.receiver import Answering, Receiver, saying
from tests.support.webhooks import SECRET, register, states
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration


async def _are(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, expected: list[str]) -> None:
    async def they_are() -> bool:
        return await states(owner, tenant, endpoint_id) == expected

    await until(they_are)


def _ids(tenant: Tenant, count: int, aggregate: str = "order:a") -> list[str]:
    return [derive_id("evt", tenant, aggregate, number) for number in range(1, count + 1)]


def _firsts(receiver: Receiver) -> list[str]:
    return list(dict.fromkeys(receiver.event_ids()))


def _failing(bad: str, status: int = 500) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status if request.headers["webhook-id"] == bad else 200)

    return answer


async def test_two_processes_deliver_in_the_order_of_the_log(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker, running(build(config), config):
        endpoint = await register(worker, tenant, receiver.url, order_mode="fifo")
        envelopes = [event(tenant, f"order:{number % 3}", number // 3 + 1) for number in range(45)]
        await publish(config, [envelopes[start : start + 9] for start in range(0, 45, 9)])
        await _are(owner, tenant, endpoint.id, ["DELIVERED"] * 45)
    rows = await owner.fetch(
        "SELECT id FROM webhooks.event_log WHERE tenant = $1 AND type = 'order.created' ORDER BY position", tenant
    )
    assert receiver.event_ids() == [row["id"] for row in rows]


async def test_what_fails_holds_the_lane_until_it_is_given_up(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    ids = _ids(tenant, 5)
    receiver.answer = _failing(ids[1])
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url, order_mode="fifo")
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 6)]])
        await _are(owner, tenant, endpoint.id, ["DELIVERED", "EXHAUSTED", *["DELIVERED"] * 3])
    tries = [(key, len(list(group))) for key, group in groupby(receiver.event_ids())]
    assert tries == [(ids[0], 1), (ids[1], 1 + len(config.retry_seconds)), *((key, 1) for key in ids[2:])]


async def test_one_aggregate_that_fails_holds_back_itself_alone(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    slow = config.model_copy(update={"retry_seconds": (600.0,)})
    receiver.answer = _failing(_ids(tenant, 1)[0])
    async with running(build(slow), slow) as worker:
        endpoint = await register(worker, tenant, receiver.url, order_mode="per_aggregate")
        await publish(config, [[event(tenant, f"order:{name}", number) for number in range(1, 21) for name in "abc"]])
        others = [*_ids(tenant, 20, "order:b"), *_ids(tenant, 20, "order:c")]

        async def others_arrived() -> bool:
            return set(others) <= set(receiver.event_ids())

        await until(others_arrived)
        await _are(owner, tenant, endpoint.id, ["PENDING", *["DELIVERED"] * 2] * 20)
        receiver.answer = saying(200)
        await owner.execute("UPDATE webhooks.deliveries SET next_attempt_at = now() WHERE endpoint_id = $1", endpoint.id)
        await _are(owner, tenant, endpoint.id, ["DELIVERED"] * 60)
    for name in "abc":
        ids = _ids(tenant, 20, f"order:{name}")
        assert [key for key in _firsts(receiver) if key in ids] == ids


@pytest.mark.parametrize("mode", ["fifo", "per_aggregate"])
@pytest.mark.parametrize("point", ["delivery.claimed", "delivery.sent", "delivery.recorded"])
async def test_the_order_survives_the_death_of_a_process(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, point: str, mode: str
) -> None:
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url, order_mode=mode)
        died = die_at(point, after=3)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 9)]])
        await died.wait()
        await kill(worker)
    async with running(build(config), config):
        await _are(owner, tenant, endpoint.id, ["DELIVERED"] * 8)
    assert [key for key, _ in groupby(receiver.event_ids())] == _ids(tenant, 8)
    assert sum(Counter(receiver.event_ids()).values()) <= 9


async def test_a_parked_lane_keeps_its_order(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    parked = config.model_copy(update={"breaker_failures": 2, "breaker_seconds": 300.0, "retry_seconds": (0.01,) * 50})
    receiver.answer = saying(500)
    async with running(build(parked), parked) as worker:
        endpoint = await register(worker, tenant, receiver.url, order_mode="fifo")
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 6)]])

        async def is_parked() -> bool:
            return bool(await owner.fetchval("SELECT parked_until FROM webhooks.lanes WHERE endpoint_id = $1", endpoint.id))

        await until(is_parked)
        assert receiver.event_ids() == _ids(tenant, 1) * 2
        receiver.answer = saying(200)
        await owner.execute("UPDATE webhooks.lanes SET parked_until = now() WHERE endpoint_id = $1", endpoint.id)
        await _are(owner, tenant, endpoint.id, ["DELIVERED"] * 5)
    assert receiver.event_ids()[2:] == _ids(tenant, 5)


async def test_a_new_order_begins_when_what_is_under_way_has_ended(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = receiver.hang
    async with running(build(config), config) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 11)]])

        async def four_hang() -> bool:
            return len(receiver.received) == 4

        await until(four_hang)
        change = UpdateEndpoint(endpoint.id, order_mode="fifo")
        reply = await worker.rpc.command("webhooks", change, tenant=tenant, command_id=new_id("cmd"))
        assert msgspec.json.decode(reply.result, type=Endpoint).order_mode == "fifo"
        receiver.answer = saying(200)
        receiver.may_go.set()
        await _are(owner, tenant, endpoint.id, ["DELIVERED"] * 10)
    first = receiver.event_ids()[:4]
    assert receiver.event_ids()[4:] == [key for key in _ids(tenant, 10) if key not in first]


async def test_a_cap_holds_for_all_processes_together(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    patient = config.model_copy(update={"lease_seconds": 600.0})
    receiver.answer = receiver.hang
    async with running(build(patient), patient) as worker, running(build(patient), patient):
        capped = await register(worker, tenant, receiver.url, max_in_flight=3)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 31)]])

        async def they_hang() -> bool:
            return len(receiver.received) >= 3

        await until(they_hang)
        after = await register(worker, tenant, "http://127.0.0.1:1/", events=("order.created",))
        await publish(config, [[event(tenant, "order:b", 1)]])  # when both processes have looked for it, they looked at the rest

        async def was_tried() -> bool:
            return bool(await states(owner, tenant, after.id)) and "PENDING" not in await states(owner, tenant, after.id)

        await until(was_tried)
        assert len(receiver.received) == 3
        receiver.may_go.set()
        await _are(owner, tenant, capped.id, ["DELIVERED"] * 31)


async def test_a_rate_holds_for_all_processes_together(schema: asyncpg.Connection, tenant: Tenant) -> None:
    """Three processes that claim all they can: no stretch of time sees more than the rate and one second of it."""
    table = DueTable(schema, tenant)
    endpoint = await table.endpoint("parallel", max_per_second=5)
    await table.log([f"order:{number}" for number in range(60)], [endpoint])
    begun: list[float] = []
    for tick in range(120):
        for _ in range(3):
            found = await table.claim(limit=64, slots=64)
            begun += [tick / 10] * len(found.deliveries)
            for item in found.deliveries:
                assert await table.record(item, "DELIVERED")
        table.now += timedelta(seconds=0.1)
    assert len(begun) == 60
    assert all(sum(start <= at <= start + span for at in begun) <= 5 * span + 5 for start in begun for span in (0.0, 1.0, 4.0))
    assert begun[-1] <= 11.1


async def test_a_replay_comes_after_what_happens_and_never_beside_it(schema: asyncpg.Connection, tenant: Tenant) -> None:
    """Deliveries of a replay have old positions: they neither hold back what is not one, nor go out beside their aggregate's."""
    table = DueTable(schema, tenant)
    ordered, fifo = await table.endpoint("per_aggregate"), await table.endpoint("fifo")
    rows = await table.log(["order:a"] * 3, [ordered, fifo])
    late = [row.id for row in rows if row.position == 1]
    await schema.execute("UPDATE deliveries SET replay_id = 'rpl_1' WHERE tenant = $1 AND position = 1", tenant)
    positions = {row.id: row.position for row in rows}
    seen: list[list[int]] = []
    for _ in range(3):
        found = (await table.claim()).deliveries
        seen.append(sorted(positions[item.id] for item in found))
        assert (await table.claim()).deliveries == []
        for item in found:
            assert (item.id in late) == (len(seen) == 3)
            if item.id in late:  # what happens meanwhile waits for the replay that is under way
                (row,) = await table.log(["order:a"], [item.endpoint_id])
                assert (await table.claim()).deliveries == []
                assert row.id not in positions
            assert await table.record(item, "DELIVERED")
            await schema.execute("UPDATE deliveries SET state = 'DELIVERED' WHERE tenant = $1 AND position > 3", tenant)
    assert seen == [[2, 2], [3, 3], [1, 1]]


async def test_slots_of_a_cap_come_back_when_a_process_died(schema: asyncpg.Connection, tenant: Tenant) -> None:
    table = DueTable(schema, tenant)
    endpoint = await table.endpoint("parallel", max_in_flight=2)
    await table.log([f"order:{number}" for number in range(6)], [endpoint])
    stand = {(str(tenant), endpoint): lane_room(limit=8)}
    taken = []
    for seconds in (0, 20, 5, 10):
        table.now += timedelta(seconds=seconds)
        taken.append(len((await table.claim(lanes=stand)).deliveries))
    assert taken == [2, 0, 0, 2]


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"order_mode": "lifo"}, "order_mode"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"max_in_flight": 65}, "max_in_flight"),
        ({"max_per_second": 0}, "max_per_second"),
        ({"max_per_second": 1_001}, "max_per_second"),
    ],
)
async def test_a_limit_out_of_bounds_is_refused_by_name(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, limits: dict[str, int], field: str
) -> None:
    async with running(build(config), config) as worker:
        made = await register(worker, tenant, "http://127.0.0.1:9")
        create = CreateEndpoint(new_id("wh"), "http://127.0.0.1:9", ("*",), SECRET, **limits)  # type: ignore[arg-type]
        for command in (create, UpdateEndpoint(made.id, **limits)):  # type: ignore[arg-type]
            reply = await worker.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))
            assert reply.refusal is not None
            assert [item["field"] for item in reply.refusal.details["fields"]] == [field]
    assert await owner.fetchval("SELECT count(*) FROM webhooks.gates WHERE tenant = $1", tenant) == 0

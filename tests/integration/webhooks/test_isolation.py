"""Endpoints that hang or fail keep nobody else waiting, and lose nothing that waits for them."""

import itertools
from collections import Counter
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp import web

from libs.common.contracts.commands.webhooks import UpdateEndpoint
from libs.common.contracts.queries.webhooks import GetEndpoint
from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.ids import Tenant, new_id
from services.webhooks.app import build
from services.webhooks.domain.attempts import LaneKey
from services.webhooks.domain.lanes import LaneRoom, Room
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store import claims
from tests.support.dispatching import LEASE, NEVER, DueTable, lane_room
from tests.support.events import event, publish
from tests.support.receiver import Receiver, receiving, saying
from tests.support.webhooks import logged, register, states
from tests.support.workers import running, until

pytestmark = pytest.mark.integration


async def _has(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, state: str, count: int) -> None:
    async def it_has() -> bool:
        return (await states(owner, tenant, endpoint_id)).count(state) == count

    await until(it_has)


async def test_many_hung_endpoints_with_backlogs_leave_the_healthy_their_slots(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    """Six hung lanes want more than all slots there are; the healthy one, proven before, is served from what is kept."""
    narrow = config.model_copy(update={"concurrency": 8, "endpoint_concurrency": 4, "lease_seconds": 600.0})
    receiver.answer = receiver.hang
    rival = Tenant(f"{new_id('req')}:live")
    async with running(build(narrow), narrow) as worker, receiving() as healthy:
        alive = await register(worker, tenant, healthy.url)
        await publish(config, [[event(tenant, "order:a", 1)]])
        await _has(owner, tenant, alive.id, "DELIVERED", 1)
        hung = [await register(worker, rival, receiver.url) for _ in range(6)]
        await publish(config, [[event(rival, "order:b", number) for number in range(1, 51)]])

        async def they_hang() -> bool:
            return len(receiver.received) >= 6

        await until(they_hang)
        await publish(config, [[event(tenant, "order:a", number) for number in range(2, 42)]])
        await _has(owner, tenant, alive.id, "DELIVERED", 41)
        assert len(receiver.received) == 6
        assert {state for endpoint in hung for state in await states(owner, rival, endpoint.id)} == {"PENDING"}
        receiver.may_go.set()
        for endpoint in hung:
            await _has(owner, rival, endpoint.id, "DELIVERED", 50)


@pytest.mark.parametrize("is_same_tenant", [True, False])
async def test_new_endpoints_do_not_wait_behind_those_that_hang(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, *, is_same_tenant: bool
) -> None:
    """Ten endpoints of which nothing is known want all slots and hang; three newer ones that answer get what is theirs."""
    narrow = config.model_copy(update={"concurrency": 16, "lease_seconds": 600.0})
    receiver.answer = receiver.hang
    rival = tenant if is_same_tenant else Tenant(f"{new_id('req')}:live")
    async with running(build(narrow), narrow) as worker, receiving() as healthy:
        hung = [await register(worker, rival, receiver.url) for _ in range(10)]
        await publish(config, [[event(rival, "order:a", number) for number in range(1, 11)]])

        async def they_hang() -> bool:
            return len(receiver.received) >= 10

        await until(they_hang)
        fresh = [await register(worker, tenant, healthy.url, events=("dispute.*",)) for _ in range(3)]
        await publish(config, [[event(tenant, "dispute:a", number, kind="dispute.opened") for number in range(1, 11)]])
        for endpoint in fresh:
            await _has(owner, tenant, endpoint.id, "DELIVERED", 10)
        assert len(receiver.received) == 10
        assert {state for endpoint in hung for state in await states(owner, rival, endpoint.id)} == {"PENDING"}
        receiver.may_go.set()
        for endpoint in hung:
            await _has(owner, rival, endpoint.id, "DELIVERED", 10)


@pytest.mark.parametrize(
    "wish",
    [{}, {"order_mode": "fifo"}, {"order_mode": "per_aggregate"}, {"max_in_flight": 2}],
    ids=["parallel", "fifo", "per_aggregate", "capped"],
)
async def test_a_backlog_goes_out_without_anybody_polling(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, wish: dict[str, Any]
) -> None:
    """Each delivery that ends makes room for the next: the poll, which comes too late here, is for what others made."""
    patient = config.model_copy(update={"poll_seconds": 600.0, "endpoint_concurrency": 4})
    async with running(build(patient), patient) as worker:
        endpoint = await register(worker, tenant, receiver.url, **wish)
        orders = [event(tenant, f"order:{name}", number) for name in "abc" for number in range(1, 16)]
        await publish(patient, [orders])
        await _has(owner, tenant, endpoint.id, "DELIVERED", 45)


async def test_a_tenant_with_many_endpoints_does_not_take_the_turns_of_one_with_few(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    few_at_a_time = config.model_copy(update={"concurrency": 4, "lease_seconds": 600.0})
    many = Tenant(f"{new_id('req')}:live")
    async with running(build(few_at_a_time), few_at_a_time) as worker:
        crowd = [await register(worker, many, receiver.url + "/crowd") for _ in range(8)]
        lone = await register(worker, tenant, receiver.url + "/lone")
        for endpoint, place in [(item, many) for item in crowd] + [(lone, tenant)]:
            change = UpdateEndpoint(endpoint.id, active=False)
            await worker.rpc.command("webhooks", change, tenant=place, command_id=new_id("cmd"))
        await publish(config, [[event(place, "order:a", number) for number in (1, 2)] for place in (many, tenant)])
        for endpoint, place in [(item, many) for item in crowd] + [(lone, tenant)]:
            await _has(owner, place, endpoint.id, "PENDING", 2)
        await owner.execute("UPDATE webhooks.endpoints SET active = true WHERE tenant = ANY($1)", [many, tenant])
        await _has(owner, tenant, lone.id, "DELIVERED", 2)
        for endpoint in crowd:
            await _has(owner, many, endpoint.id, "DELIVERED", 2)
    places = [place for place, request in enumerate(receiver.received) if request.path.endswith("/lone")]
    assert max(places) < 8


async def test_no_tenant_has_more_under_way_than_it_may(schema: asyncpg.Connection, tenant: Tenant) -> None:
    """Twenty endpoints with work, and room for all of it: one tenant gets what it may have, and the other its own."""
    rival = DueTable(schema, Tenant(f"{new_id('req')}:live"))
    few = DueTable(schema, tenant)
    many = [await rival.endpoint("parallel") for _ in range(20)]
    mine = await few.endpoint("parallel")
    await rival.log(["order:a", "order:b"], many)
    await few.log(["order:a"], [mine])
    busy: dict[LaneKey, LaneRoom] = {(rival.tenant, many[0]): lane_room(limit=8, busy=4, is_known=True, is_quick=True)}
    claimed = await claims.claim(
        schema,
        now=rival.now,
        token=new_id("whd"),
        lease_until=rival.now + LEASE,
        room=Room(128, 128, 128, busy, 4, tenant_max=10),
        breaker=NEVER,
    )
    assert Counter(item.tenant for item in claimed.deliveries) == {rival.tenant: 6, tenant: 1}


async def test_a_parked_backlog_burns_no_attempts_and_catches_up(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    parked = config.model_copy(update={"breaker_failures": 3, "breaker_seconds": 300.0, "endpoint_concurrency": 1})
    receiver.answer = saying(500)
    async with running(build(parked), parked) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 21)]])

        async def is_parked() -> bool:
            return bool(await owner.fetchval("SELECT parked_until FROM webhooks.lanes WHERE endpoint_id = $1", endpoint.id))

        await until(is_parked)
        await _has(owner, tenant, endpoint.id, "PENDING", 20)
        assert len(receiver.received) == 3
        receiver.answer = saying(200)
        await owner.execute("UPDATE webhooks.lanes SET parked_until = now() WHERE endpoint_id = $1", endpoint.id)
        await _has(owner, tenant, endpoint.id, "DELIVERED", 20)
    assert len(receiver.received) == 23
    lane = await owner.fetchrow("SELECT * FROM webhooks.lanes WHERE endpoint_id = $1", endpoint.id)
    assert lane is not None
    assert (lane["failures"], lane["probes"], lane["parked_until"], lane["failing_since"]) == (0, 0, None, None)
    assert lane["last_success_at"] is not None


async def test_a_parked_endpoint_is_probed_with_one_delivery_after_longer_and_longer_waits(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    probing = config.model_copy(update={"breaker_failures": 4, "breaker_seconds": 100.0, "retry_seconds": (0.01,) * 50})
    receiver.answer = saying(500)
    waits: list[float] = []
    seen: list[int] = []
    async with running(build(probing), probing) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 21)]])
        for probes in range(1, 5):

            async def has_failed_again(count: int = probes) -> bool:
                row = await owner.fetchrow(
                    "SELECT probes, extract(epoch FROM parked_until - now()) FROM webhooks.lanes WHERE endpoint_id = $1",
                    endpoint.id,
                )
                if row is None or row[0] < count:
                    return False
                waits.append(float(row[1]))
                return True

            await until(has_failed_again)
            seen.append(len(receiver.received))
            await owner.execute("UPDATE webhooks.lanes SET parked_until = now() WHERE endpoint_id = $1", endpoint.id)
    assert [after - before for before, after in itertools.pairwise(seen)] == [1, 1, 1]
    assert [round(wait / 50) * 50 for wait in waits] == [100, 200, 300, 300]


async def test_retry_after_parks_the_whole_lane(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = saying(429, **{"Retry-After": "600"})
    single = config.model_copy(update={"endpoint_concurrency": 1})
    async with running(build(single), single) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 6)]])

        async def is_parked() -> bool:
            query = "SELECT parked_until > now() + interval '9 minutes' FROM webhooks.lanes WHERE endpoint_id = $1"
            return bool(await owner.fetchval(query, endpoint.id))

        await until(is_parked)
        assert len(receiver.received) == 1
        receiver.answer = saying(200)
        change = UpdateEndpoint(endpoint.id, url=receiver.url + "/moved")
        await worker.rpc.command("webhooks", change, tenant=tenant, command_id=new_id("cmd"))
        await _has(owner, tenant, endpoint.id, "DELIVERED", 4)


@pytest.mark.parametrize("status", [500, 410])
async def test_an_endpoint_that_only_fails_is_deactivated_with_notice_and_keeps_its_backlog(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, status: int
) -> None:
    worn = config.model_copy(update={"disable_hours": 0.0, "endpoint_concurrency": 1})
    receiver.answer = saying(status)
    async with running(build(worn), worn) as worker, receiving() as monitor:
        endpoint = await register(worker, tenant, receiver.url)
        await register(worker, tenant, monitor.url, events=("webhook.disabled",))
        await publish(config, [[event(tenant, "order:a", number) for number in range(1, 6)]])

        async def is_announced() -> bool:
            return bool(monitor.received)

        await until(is_announced)
        reply = await worker.rpc.query("webhooks", GetEndpoint(endpoint.id), tenant=tenant)
        assert msgspec.json.decode(reply.result, type=Endpoint).active is False
        waiting = (await states(owner, tenant, endpoint.id)).count("PENDING")
        assert waiting == (5 if status == 500 else 4)
        receiver.answer = _accept
        change = UpdateEndpoint(endpoint.id, active=True)
        await worker.rpc.command("webhooks", change, tenant=tenant, command_id=new_id("cmd"))
        await _has(owner, tenant, endpoint.id, "DELIVERED", waiting)
    assert len(await logged(owner, tenant, "webhook.disabled")) == 1


async def _accept(_: web.Request) -> web.StreamResponse:
    return web.Response()

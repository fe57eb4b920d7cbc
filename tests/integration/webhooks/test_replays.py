"""A replay sends each event of its part of the log once more, whoever dies on the way, and behind what happens now."""

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.commands.webhooks import DeleteEndpoint, StartReplay, SteerReplay, UpdateEndpoint
from libs.common.contracts.envelope import Reply
from libs.common.contracts.queries.webhooks import GetReplay, ListReplays
from libs.common.contracts.replies.common import Page
from libs.common.contracts.replies.webhooks import Replay, ReplayProgress
from libs.common.kernel.ids import Tenant, derive_id, new_id
from libs.common.messaging.worker import Worker
from services.webhooks.app import build
from services.webhooks.domain.replays import WINDOW
from services.webhooks.handlers import replay as replay_steps
from services.webhooks.settings import WebhooksSettings
from tests.support.events import event, publish
from tests.support.receiver import Receiver, accept, receiving, saying
from tests.support.webhooks import logged, register, states
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration
FAST = 1_000


async def ask(worker: Worker, tenant: Tenant, command: Any) -> Reply:
    """Send a command."""
    return await worker.rpc.command("webhooks", command, tenant=tenant, command_id=new_id("cmd"))


async def start(worker: Worker, tenant: Tenant, endpoint_id: str, **wish: Any) -> Replay:
    """Begin a replay, as fast as it can be unless told otherwise."""
    reply = await ask(worker, tenant, StartReplay(new_id("rpl"), endpoint_id, **({"per_second": FAST} | wish)))
    assert reply.refusal is None, reply.refusal
    return msgspec.json.decode(reply.result, type=Replay)


async def progress(worker: Worker, tenant: Tenant, replay: Replay) -> ReplayProgress:
    """Ask how far one has come."""
    reply = await worker.rpc.query("webhooks", GetReplay(replay.endpoint_id, replay.id), tenant=tenant)
    assert reply.refusal is None, reply.refusal
    return msgspec.json.decode(reply.result, type=ReplayProgress)


async def ended(worker: Worker, tenant: Tenant, replay: Replay, state: str = "COMPLETED") -> ReplayProgress:
    """Wait for its end."""

    async def it_has() -> ReplayProgress | None:
        now = await progress(worker, tenant, replay)
        return now if now.state == state and now.pending == 0 else None

    found: ReplayProgress = await until(it_has)
    return found


async def log(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, count: int, *, kind: str = "order.created"
) -> None:
    """Have so many events of one kind in the log."""
    envelopes = [event(tenant, f"{kind}:a", number, kind=kind) for number in range(1, count + 1)]
    await publish(config, [envelopes[first : first + 100] for first in range(0, count, 100)])

    async def all_are() -> bool:
        return len(await logged(owner, tenant, kind)) == count

    await until(all_are)


def ids(tenant: Tenant, numbers: range, *, kind: str = "order.created") -> list[str]:
    """The ids of those events."""
    return [derive_id("evt", tenant, f"{kind}:a", number) for number in numbers]


async def test_a_part_of_the_log_goes_to_an_endpoint_that_is_newer_than_it(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        await log(config, owner, tenant, 250)
        endpoint = await register(worker, tenant, receiver.url)
        at = {row["id"]: row["position"] for row in await logged(owner, tenant)}
        first, last = at[ids(tenant, range(11, 12))[0]], at[ids(tenant, range(240, 241))[0]]
        replay = await start(worker, tenant, endpoint.id, from_position=first, to_position=last)
        done = await ended(worker, tenant, replay)
    assert sorted(receiver.event_ids()) == sorted(ids(tenant, range(11, 241)))
    assert (done.cursor, done.enqueued, done.delivered, done.failed, done.remaining) == (last, 230, 230, 0, 0)


async def test_events_are_filtered_as_subscriptions_are(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker:
        for kind in ("order.created", "order.closed", "user.created"):
            await log(config, owner, tenant, 3, kind=kind)
        endpoint = await register(worker, tenant, receiver.url, events=("user.*",))
        await ended(worker, tenant, await start(worker, tenant, endpoint.id))
        assert sorted(receiver.event_ids()) == sorted(ids(tenant, range(1, 4), kind="user.created"))
        receiver.received.clear()
        done = await ended(worker, tenant, await start(worker, tenant, endpoint.id, events=("order.*",)))
    expected = [name for kind in ("order.created", "order.closed") for name in ids(tenant, range(1, 4), kind=kind)]
    assert sorted(receiver.event_ids()) == sorted(expected)
    assert done.enqueued == 6


@pytest.mark.parametrize(("only", "numbers"), [("failed", range(1, 4)), ("undelivered", range(1, 7)), ("all", range(1, 10))])
async def test_what_has_arrived_is_left_out_when_that_is_asked(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, only: str, numbers: range
) -> None:
    """Of nine events three are given up, three are logged while the endpoint wants none of them, and three arrive."""
    once = config.model_copy(update={"retry_seconds": ()})
    async with running(build(once), once) as worker:
        endpoint = await register(worker, tenant, receiver.url)
        receiver.answer = saying(500)
        await log(config, owner, tenant, 3)
        await _are(owner, tenant, endpoint.id, "EXHAUSTED", 3)
        receiver.answer = accept
        await ask(worker, tenant, UpdateEndpoint(endpoint.id, events=("user.*",)))
        await log(config, owner, tenant, 6)
        await ask(worker, tenant, UpdateEndpoint(endpoint.id, events=("order.*",)))
        await log(config, owner, tenant, 9)
        await _are(owner, tenant, endpoint.id, "DELIVERED", 3)
        receiver.received.clear()
        await ended(worker, tenant, await start(worker, tenant, endpoint.id, only=only))
        assert sorted(receiver.event_ids()) == sorted(ids(tenant, numbers))
        receiver.received.clear()
        again = await ended(worker, tenant, await start(worker, tenant, endpoint.id, only=only))
    assert again.enqueued == (9 if only == "all" else 0), "what a replay delivered has arrived"


async def _are(owner: asyncpg.Connection, tenant: Tenant, endpoint_id: str, state: str, count: int) -> None:
    async def they_are() -> bool:
        return (await states(owner, tenant, endpoint_id)).count(state) == count

    await until(they_are)


@pytest.mark.parametrize(
    ("point", "after"),
    [("replay.enqueued", 1), ("replay.enqueued", 2), ("replay.stepped", 1), ("replay.stepped", 2), ("delivery.sent", 5)],
)
async def test_whoever_dies_nothing_is_skipped_and_nothing_is_made_twice(
    config: WebhooksSettings,
    owner: asyncpg.Connection,
    tenant: Tenant,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    after: int,
) -> None:
    monkeypatch.setattr(replay_steps, "WINDOW", 20)  # so that there are three steps at least
    async with running(build(config), config) as worker:
        await log(config, owner, tenant, 60)
        endpoint = await register(worker, tenant, receiver.url)
        died = die_at(point, after=after)
        asking = asyncio.create_task(start(worker, tenant, endpoint.id))
        await died.wait()
        replay = await asking
        await kill(worker)
    async with running(build(config), config) as worker, running(build(config), config):
        done = await ended(worker, tenant, replay)
    assert (done.enqueued, done.delivered) == (60, 60)
    rows = await owner.fetch("SELECT position FROM webhooks.deliveries WHERE tenant = $1 AND replay_id = $2", tenant, replay.id)
    assert len({row["position"] for row in rows}) == len(rows) == 60
    times = Counter(receiver.event_ids())
    assert set(times) == set(ids(tenant, range(1, 61)))


async def test_many_processes_make_the_steps_of_one_replay_one_after_the_other(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    service = build(config)
    async with running(service, config) as worker, running(build(config), config), running(build(config), config):
        await log(config, owner, tenant, 250)
        endpoint = await register(worker, tenant, receiver.url)
        done = await ended(worker, tenant, await start(worker, tenant, endpoint.id))
    assert done.enqueued == 250
    assert sorted(receiver.event_ids()) == sorted(ids(tenant, range(1, 251)))


async def test_what_happens_now_goes_before_a_replay_to_a_slow_receiver(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    """While the receiver hangs only a window of the replay is made; what happens then waits behind no more than that."""
    receiver.answer = receiver.hang
    patient = config.model_copy(update={"lease_seconds": 600.0})
    async with running(build(patient), patient) as worker:
        await log(config, owner, tenant, 300)
        endpoint = await register(worker, tenant, receiver.url)
        replay = await start(worker, tenant, endpoint.id)

        async def is_full() -> bool:
            return (await progress(worker, tenant, replay)).pending == WINDOW

        await until(is_full)
        await log(config, owner, tenant, 5, kind="order.closed")
        receiver.may_go.set()
        await ended(worker, tenant, replay)
        arrived = receiver.event_ids()
        live = set(ids(tenant, range(1, 6), kind="order.closed"))
        assert live <= set(arrived)
    assert max(arrived.index(name) for name in live) < WINDOW + 5 + config.endpoint_concurrency


async def test_pausing_resuming_and_canceling(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    receiver.answer = receiver.hang
    patient = config.model_copy(update={"lease_seconds": 600.0})
    async with running(build(patient), patient) as worker:
        await log(config, owner, tenant, 300)
        endpoint = await register(worker, tenant, receiver.url)
        await until(lambda: logged(owner, tenant, "webhook.created"))
        replay = await start(worker, tenant, endpoint.id)

        async def is_full() -> bool:
            return (await progress(worker, tenant, replay)).pending == WINDOW

        await until(is_full)
        busy = await ask(worker, tenant, StartReplay(new_id("rpl"), endpoint.id))
        assert busy.refusal is not None
        assert (busy.refusal.code, busy.refusal.details["replay_id"]) == ("INVALID_STATE", replay.id)
        await ask(worker, tenant, SteerReplay(endpoint.id, replay.id, "pause"))
        receiver.may_go.set()
        paused = await ended(worker, tenant, replay, "PAUSED")
        assert (paused.enqueued, paused.delivered, paused.remaining) == (WINDOW, WINDOW, 201)
        twice = await ask(worker, tenant, SteerReplay(endpoint.id, replay.id, "pause"))
        assert twice.refusal is not None
        assert twice.refusal.details == {"replay_id": replay.id, "current_state": "PAUSED", "allowed_states": ["RUNNING"]}
        receiver.may_go.clear()
        await ask(worker, tenant, SteerReplay(endpoint.id, replay.id, "resume"))
        await until(is_full)
        await ask(worker, tenant, SteerReplay(endpoint.id, replay.id, "cancel"))
        receiver.may_go.set()
        canceled = await ended(worker, tenant, replay, "CANCELED")
        assert canceled.delivered < 2 * WINDOW
        assert canceled.enqueued == 2 * WINDOW
        listed = await worker.rpc.query("webhooks", ListReplays(endpoint.id), tenant=tenant)
        assert [item.state for item in msgspec.json.decode(listed.result, type=Page[Replay]).data] == ["CANCELED"]
        await ask(worker, tenant, DeleteEndpoint(endpoint.id))
        gone = await worker.rpc.query("webhooks", GetReplay(endpoint.id, replay.id), tenant=tenant)
        assert gone.refusal is not None
        assert gone.refusal.code == "WEBHOOK_NOT_FOUND"


async def test_a_replay_waits_while_its_endpoint_is_not_active(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver
) -> None:
    async with running(build(config), config) as worker, receiving() as other:
        await log(config, owner, tenant, 20)
        endpoint, second = await register(worker, tenant, receiver.url), await register(worker, tenant, other.url)
        replay = await start(worker, tenant, endpoint.id, per_second=1)
        await ask(worker, tenant, UpdateEndpoint(endpoint.id, active=False))
        refused = await ask(worker, tenant, StartReplay(new_id("rpl"), endpoint.id))
        assert refused.refusal is not None
        assert refused.refusal.details == {"current_state": "INACTIVE"}
        await ended(worker, tenant, await start(worker, tenant, second.id))
        assert (await progress(worker, tenant, replay)).enqueued < 20
        assert len(other.received) == 20


async def test_an_endpoint_that_wants_an_order_gets_a_replay_in_it_and_what_happens_in_its_own(
    config: WebhooksSettings, owner: asyncpg.Connection, tenant: Tenant, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_steps, "WINDOW", 10)
    async with running(build(config), config) as worker, running(build(config), config):
        await log(config, owner, tenant, 25)
        endpoint = await register(worker, tenant, receiver.url, order_mode="fifo")
        replay = await start(worker, tenant, endpoint.id)
        await log(config, owner, tenant, 10, kind="order.closed")
        done = await ended(worker, tenant, replay)
        await _are(owner, tenant, endpoint.id, "DELIVERED", done.enqueued + 10)
    live = ids(tenant, range(1, 11), kind="order.closed")
    assert [name for name in receiver.event_ids() if name in live] == live
    assert [name for name in receiver.event_ids() if name not in live] == ids(tenant, range(1, 26))

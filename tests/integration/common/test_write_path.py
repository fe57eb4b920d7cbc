"""What the write path promises, on a real ledger: once each, all or nothing, whatever dies."""

import asyncio
import random
from typing import Any

import aio_pika
import asyncpg
import msgspec
import pytest

from libs.common.contracts.accounts import available, reserved
from libs.common.contracts.commands.common import NOT_EXECUTED, Forgo
from libs.common.contracts.commands.ledger import OpenUser, Posting, PostJournal
from libs.common.contracts.envelope import Envelope, Event, Reply, encode, frame, raw, unframe
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging import faults
from libs.common.messaging.dead_letters import look, redrive
from libs.common.messaging.worker import Worker
from libs.common.settings import ServiceSettings
from services.ledger.app import build
from tests.support.oracles import books_hold, outboxes_are_empty
from tests.support.workers import die_at, kill, running, until

pytestmark = pytest.mark.integration
UNIT = 10_000_000


def _credit(user: str, amount: int) -> PostJournal:
    return PostJournal("adjust", "USD", (Posting("platform:adjustments", available(user), amount),))


def _reserve(user: str, amount: int) -> PostJournal:
    return PostJournal("reserve", "USD", (Posting(available(user), reserved(user), amount),))


def _envelope(tenant: Tenant, message_id: str, message: msgspec.Struct, **others: Any) -> Envelope:
    return Envelope(message_id, type(message).__name__, tenant, raw(message), **others)


async def _ask(worker: Worker, tenant: Tenant, message: msgspec.Struct, message_id: str | None = None) -> Reply:
    return await worker.rpc.command("ledger", message, tenant=tenant, command_id=message_id or new_id("jrn"))


async def _open(worker: Worker, tenant: Tenant) -> str:
    user = new_id("usr")
    reply = await _ask(worker, tenant, OpenUser(user, f"ext-{user}"))
    assert reply.refusal is None
    return user


async def _publish(config: ServiceSettings, envelopes: list[Envelope]) -> None:
    """Put a frame into the ledger's commands from outside, as a gateway that then died would have."""
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    async with await aio_pika.connect(config.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel(on_return_raises=True)
        body = frame([encode(envelope) for envelope in envelopes])
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        exchange = await channel.get_exchange(topology.commands.name)
        await exchange.publish(message, "ledger", mandatory=True)


async def _balance(owner: asyncpg.Connection, tenant: Tenant, account: str) -> int:
    found: int | None = await owner.fetchval(
        "SELECT balance FROM ledger.accounts WHERE tenant = $1 AND id = $2", tenant, f"{account}:USD"
    )
    return found or 0


async def _journals(owner: asyncpg.Connection, tenant: Tenant) -> set[str]:
    return {row[0] for row in await owner.fetch("SELECT id FROM ledger.journals WHERE tenant = $1", tenant)}


async def _posted(owner: asyncpg.Connection, tenant: Tenant, ids: set[str]) -> bool:
    return await _journals(owner, tenant) == ids


async def test_a_repeated_command_is_answered_as_the_first_was(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        first = await _ask(worker, tenant, _credit(user, 5 * UNIT), "jrn_once")
        again = [await _ask(worker, tenant, _credit(user, 5 * UNIT), "jrn_once") for _ in range(3)]
        assert {bytes(reply.result) for reply in again} == {bytes(first.result)}
        refused = await _ask(worker, tenant, _reserve(user, 6 * UNIT), "jrn_never")
        await _ask(worker, tenant, _credit(user, 5 * UNIT))
        assert (await _ask(worker, tenant, _reserve(user, 6 * UNIT), "jrn_never")).refusal == refused.refusal
        assert await _balance(owner, tenant, available(user)) == 10 * UNIT
    await books_hold(owner)


async def test_new_messages_beside_repeated_ones_are_done_once_and_the_others_answered_as_before(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        names = [new_id("jrn") for _ in range(12)]
        early = {name: await _ask(worker, tenant, _credit(user, UNIT), name) for name in names[::3]}
        late = await asyncio.gather(*(_ask(worker, tenant, _credit(user, UNIT), name) for name in names))
        assert all(reply.refusal is None for reply in late)
        assert all(
            bytes(reply.result) == bytes(early[name].result) for name, reply in zip(names, late, strict=True) if name in early
        )
        assert await _balance(owner, tenant, available(user)) == 12 * UNIT
    await books_hold(owner)


async def test_a_command_that_was_forgone_is_never_done(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        for _ in range(2):
            given_up = await _ask(worker, tenant, Forgo(), "jrn_lost")
            late = await _ask(worker, tenant, _credit(user, 5 * UNIT), "jrn_lost")
            assert [reply.refusal.code for reply in (given_up, late) if reply.refusal] == [NOT_EXECUTED, NOT_EXECUTED]
        done = await _ask(worker, tenant, _credit(user, 7 * UNIT), "jrn_done")
        asked = await _ask(worker, tenant, Forgo(), "jrn_done")
        assert (asked.refusal, bytes(asked.result)) == (None, bytes(done.result))
        assert await _balance(owner, tenant, available(user)) == 7 * UNIT
    await books_hold(owner)


async def test_fifty_concurrent_reserves_take_exactly_what_is_there(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        await _ask(worker, tenant, _credit(user, 100 * UNIT))
        replies = await asyncio.gather(*(_ask(worker, tenant, _reserve(user, 10 * UNIT)) for _ in range(50)))
        refusals = [reply.refusal.code for reply in replies if reply.refusal is not None]
        assert refusals == ["INSUFFICIENT_FUNDS"] * 40
        assert await _balance(owner, tenant, reserved(user)) == 100 * UNIT
    await books_hold(owner)


async def test_a_poison_envelope_is_parked_while_its_neighbours_commit_and_redrive_brings_it_back(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    url = config.amqp_url.get_secret_value()
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        good = [_envelope(tenant, new_id("jrn"), _credit(user, UNIT)) for _ in range(5)]
        poison = [
            Envelope(f"bad_body_{tenant}", "PostJournal", tenant, msgspec.Raw(b'{"kind":"steal"}')),
            Envelope(f"bad_type_{tenant}", "PrintMoney", tenant, msgspec.Raw(b"{}")),
            Envelope(f"bad_version_{tenant}", "PostJournal", tenant, good[0].body, version=9),
        ]
        await _publish(config, [good[0], poison[0], good[1], poison[1], good[2], poison[2], good[3], good[4]])

        async def parked() -> bool:
            return {letter.id for letter in await look(url, topology, "ledger")} >= {letter.id for letter in poison}

        await until(parked)
        await until(lambda: _posted(owner, tenant, {envelope.id for envelope in good}))
        letters = {letter.id: letter.reason for letter in await look(url, topology, "ledger")}
        assert "steal" in letters[f"bad_body_{tenant}"]
        assert "PrintMoney" in letters[f"bad_type_{tenant}"]
        assert "version 9" in letters[f"bad_version_{tenant}"]
        moved = await redrive(url, topology, "ledger", wanted=lambda letter: letter.id == f"bad_body_{tenant}")
        assert [letter.id for letter in moved] == [f"bad_body_{tenant}"]
        await until(parked)


async def test_a_message_that_keeps_failing_is_retried_and_then_parked_and_a_mended_one_goes_through(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.ledger.handlers import post_journal  # noqa: PLC0415

    decide = post_journal.decide
    cursed = f"jrn_cursed_{tenant}"

    def fails(state: Any, message: Any, context: Any) -> Any:
        if context.message_id == cursed:
            raise RuntimeError("this one always fails")
        return decide(state, message, context)

    monkeypatch.setattr("libs.common.messaging.parking.ATTEMPTS_MAX", 2)
    monkeypatch.setattr(post_journal, "decide", fails)
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    url = config.amqp_url.get_secret_value()
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        good = [_envelope(tenant, new_id("jrn"), _credit(user, UNIT)) for _ in range(4)]
        await _publish(config, [*good[:2], _envelope(tenant, cursed, _credit(user, UNIT)), *good[2:]])

        async def parked() -> list[Envelope]:
            return [letter for letter in await look(url, topology, "ledger") if letter.id == cursed]

        letter = (await until(parked))[0]
        assert letter.attempts == 2
        assert "this one always fails" in letter.reason
        await until(lambda: _posted(owner, tenant, {envelope.id for envelope in good}))
        monkeypatch.setattr(post_journal, "decide", decide)
        await redrive(url, topology, "ledger", wanted=lambda letter: letter.id == cursed)

        async def posted() -> bool:
            return cursed in await _journals(owner, tenant)

        await until(posted)
    await books_hold(owner)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", [point for point in faults.POINTS if point.startswith("write.")])
async def test_a_worker_killed_at_any_point_of_a_write_loses_and_doubles_nothing(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant, point: str, nth: int
) -> None:
    async with running(build(), config) as first:
        user = await _open(first, tenant)
        died = die_at(point, after=nth)
        ids = [new_id("jrn") for _ in range(6)]
        for place in range(0, 6, 2):
            await _publish(config, [_envelope(tenant, message_id, _credit(user, UNIT)) for message_id in ids[place : place + 2]])
        await asyncio.wait_for(died.wait(), 60)
        await kill(first)
        faults.clear_traps()
    await owner.execute("UPDATE ledger.outbox SET publish_after = now()")
    async with running(build(), config):

        async def settled() -> bool:
            return await _journals(owner, tenant) == set(ids) and await outboxes_are_empty(owner, "ledger")

        await until(settled)
        assert await _balance(owner, tenant, available(user)) == 6 * UNIT
    await books_hold(owner)
    await _events_are_whole(config, tenant, user, 6)


@pytest.mark.parametrize("point", [point for point in faults.POINTS if point.startswith("relay.")])
async def test_a_relay_killed_while_it_publishes_leaves_nothing_unpublished(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant, point: str
) -> None:
    async with running(build(), config) as first:
        user = await _open(first, tenant)
        died = die_at("write.after_commit")
        await _publish(config, [_envelope(tenant, new_id("jrn"), _credit(user, UNIT)) for _ in range(3)])
        await asyncio.wait_for(died.wait(), 60)
        await kill(first)
        faults.clear_traps()
    assert await owner.fetchval("SELECT count(*) FROM ledger.outbox") >= 3
    await owner.execute("UPDATE ledger.outbox SET publish_after = now()")
    died = die_at(point)
    async with running(build(), config) as second:
        await asyncio.wait_for(died.wait(), 60)
        await kill(second)
        faults.clear_traps()
    async with running(build(), config):
        await until(lambda: outboxes_are_empty(owner, "ledger"))
    await _events_are_whole(config, tenant, user, 3)


async def _events_are_whole(config: ServiceSettings, tenant: Tenant, user: str, count: int) -> None:
    """Read what reached the webhooks' event queue: each balance event at least once, numbered without a gap."""
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    seen: dict[int, set[str]] = {}
    async with await aio_pika.connect(config.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.event_queue("webhooks").name)
        while (message := await queue.get(no_ack=False, fail=False)) is not None:
            for envelope in unframe(message.body)[0]:
                event = msgspec.json.decode(envelope.body, type=Event)
                if envelope.tenant == tenant and event.aggregate == f"balance:{user}:USD":
                    seen.setdefault(event.sequence, set()).add(envelope.id)
    assert sorted(seen) == list(range(1, count + 1))
    assert all(len(ids) == 1 for ids in seen.values()), "one event came with two ids"


async def test_two_processes_given_each_others_frames_in_opposite_orders_never_fail_a_caller(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    async with running(build(), config) as one, running(build(), config) as two:
        users = [await _open(one, tenant) for _ in range(4)]
        for user in users:
            await _ask(one, tenant, _credit(user, 1_000 * UNIT))
        chooser = random.Random(7)
        messages = [_envelope(tenant, new_id("jrn"), _reserve(chooser.choice(users), UNIT)) for _ in range(400)]
        frames = [frame([encode(item) for item in messages[place : place + 20]]) for place in range(0, 400, 20)]
        backwards = [frame([encode(item) for item in reversed(messages[place : place + 20])]) for place in range(380, -1, -20)]
        await asyncio.gather(
            *(one.write_path.accept(body) for body in frames), *(two.write_path.accept(body) for body in backwards)
        )
        assert sum([await _balance(owner, tenant, reserved(user)) for user in users]) == 400 * UNIT
    await books_hold(owner)


async def test_twenty_connection_losses_dead_letter_nothing(
    config: ServiceSettings, owner: asyncpg.Connection, tenant: Tenant
) -> None:
    topology = Topology(config.bus_prefix, config.queue_expires_ms)
    ids: list[str] = []
    async with running(build(), config) as worker:
        user = await _open(worker, tenant)
        for _ in range(20):
            batch = [new_id("jrn") for _ in range(3)]
            ids += batch
            await _publish(config, [_envelope(tenant, message_id, _credit(user, UNIT)) for message_id in batch])
            await _drop_database_connections(owner, worker)
            await _drop_broker_connection(worker)

        async def posted() -> bool:
            return await _journals(owner, tenant) == set(ids)

        await until(posted, seconds=40)
    letters = [letter.id for letter in await look(config.amqp_url.get_secret_value(), topology, "ledger")]
    assert not set(letters) & set(ids)
    await books_hold(owner)


async def _drop_database_connections(owner: asyncpg.Connection, worker: Worker) -> None:
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'offerhub-ledger'"
    )


async def _drop_broker_connection(worker: Worker) -> None:
    connection = worker.broker._connection
    assert connection is not None

    async def transport() -> Any:
        return connection.transport  # None while it is connecting anew

    await (await until(transport)).connection.close()

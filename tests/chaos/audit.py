"""Compares what the clients were told with what is in Postgres, on the bus, and at the webhook receiver."""

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from deploy.local.receiver import Receiver
from libs.common.contracts.topology import SERVICES, Topology
from libs.common.messaging.dead_letters import look
from tests.chaos.desk import Desk
from tests.chaos.model import World, retell
from tests.support.oracles import books_hold, events_hold, records_hold, waiting

_SHOWN: Final = 3


@dataclass(frozen=True)
class Verdict:
    """One oracle's finding; `trouble` is empty when the fact holds."""

    fact: str
    trouble: str


@dataclass(frozen=True)
class Evidence:
    """Everything an oracle may look at."""

    database: asyncpg.Connection
    desk: Desk
    world: World
    receiver: Receiver
    amqp_url: str
    topology: Topology


Oracle = Callable[[Evidence], Awaitable[None]]


async def examine(
    database: asyncpg.Connection, desk: Desk, receiver: Receiver, *, amqp_url: str, topology: Topology
) -> list[Verdict]:
    """Ask every oracle."""
    evidence = Evidence(database, desk, retell(desk.notes), receiver, amqp_url, topology)
    verdicts = []
    for fact, oracle in ORACLES.items():
        try:
            await oracle(evidence)
        except AssertionError as error:
            verdicts.append(Verdict(fact, str(error)))
        else:
            verdicts.append(Verdict(fact, ""))
    return verdicts


async def _books(evidence: Evidence) -> None:
    await books_hold(evidence.database)


async def _answers(evidence: Evidence) -> None:
    desk = evidence.desk
    assert not desk.unanswered, f"no final answer under {sorted(desk.unanswered)[:_SHOWN]}"
    assert not desk.breaches, "; ".join(desk.breaches[:_SHOWN])
    assert not evidence.world.contradictions, evidence.world.contradictions[:_SHOWN]


async def _orders(evidence: Evidence) -> None:
    rows = await evidence.database.fetch(
        "SELECT id, status, final_status, escrow, dispute_status, milestones, comments FROM escrow.orders"
    )
    stored = {
        row["id"]: (
            row["status"],
            row["final_status"],
            row["escrow"] and json.loads(row["escrow"])["status"],
            row["dispute_status"],
            {part["ref"]: part["status"] for part in json.loads(row["milestones"])},
            len(json.loads(row["comments"])),
        )
        for row in rows
    }
    _same(stored, {order.id: order.state() for order in evidence.world.orders.values()})


async def _journals(evidence: Evidence) -> None:
    rows = await evidence.database.fetch("SELECT kind, subject FROM ledger.journals")
    expected: Counter[tuple[str, str]] = Counter()
    for reference, times in evidence.world.credits.items():
        expected["adjust", reference] += times
    for order in evidence.world.orders.values():
        expected.update((kind, order.id) for kind in order.journals)
    _same(Counter((row["kind"], row["subject"]) for row in rows), expected)


async def _people(evidence: Evidence) -> None:
    rows = await evidence.database.fetch("SELECT external_user_id, id FROM ledger.users")
    assert len(rows) == len({row["external_user_id"] for row in rows}), "an external id has two users"
    _same({row["external_user_id"]: row["id"] for row in rows}, evidence.world.people)


async def _balances(evidence: Evidence) -> None:
    world = evidence.world
    rows = await evidence.database.fetch(
        "SELECT purpose, split_part(id, ':', 2) AS owner, balance FROM ledger.accounts"
        " WHERE balance <> 0 AND purpose <> 'adjustments'"
    )
    assert len(rows) == len({(row["purpose"], row["owner"]) for row in rows}), "money in a currency nobody brought in"
    expected = {("available", owner): amount for owner, amount in world.available.items()}
    expected |= {("reserved", owner): amount for owner, amount in world.reserved.items()}
    expected |= {("escrow", owner): amount for owner, amount in world.escrowed.items()}
    expected["fees", "fees"] = world.fees
    stored = {(row["purpose"], row["owner"]): row["balance"] for row in rows}
    _same(stored, {key: value for key, value in expected.items() if value})


async def _order_events(evidence: Evidence) -> None:
    rows = await evidence.database.fetch(
        "SELECT aggregate, type FROM webhooks.event_log WHERE aggregate LIKE 'order:%' ORDER BY aggregate, sequence"
    )
    logged: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        logged[row["aggregate"].removeprefix("order:")].append(row["type"])
    _same(logged, {order.id: order.events for order in evidence.world.orders.values()})


async def _events(evidence: Evidence) -> None:
    await events_hold(evidence.database)


async def _records(evidence: Evidence) -> None:
    await records_hold(evidence.database)
    rows = await evidence.database.fetch("SELECT key, status, body FROM gateway.requests WHERE holds_key")
    stored = {row["key"]: (row["status"], row["body"]) for row in rows}
    told = {note.key: (note.status, note.answer) for note in evidence.desk.notes if note.accepted}
    _same({key: answer for key, answer in stored.items() if key in told}, told)


async def _rest(evidence: Evidence) -> None:
    left = await waiting(evidence.database)
    assert not left, f"still under way: {left}"


async def _dead_letters(evidence: Evidence) -> None:
    await no_dead_letters(evidence.amqp_url, evidence.topology)


async def no_dead_letters(amqp_url: str, topology: Topology) -> None:
    """Fail on the first service that has any."""
    for service in SERVICES:
        letters = await look(amqp_url, topology, service)
        assert not letters, f"{service} has {len(letters)} dead letters, the first {letters[0].type}: {letters[0].reason}"


async def _deliveries(evidence: Evidence) -> None:
    logged = {row["id"] for row in await evidence.database.fetch("SELECT id FROM webhooks.event_log")}
    received: dict[str, set[tuple[str, bytes]]] = defaultdict(set)
    webhook_ids: dict[str, set[str]] = defaultdict(set)
    for headers, body in evidence.receiver.deliveries:
        event_id = json.loads(body)["id"]
        received[event_id].add((headers["webhook-id"], body))
        webhook_ids[headers["webhook-id"]].add(event_id)
    missing = logged - received.keys()
    assert not missing, f"{len(missing)} events were never delivered: {sorted(missing)[:_SHOWN]}"
    assert received.keys() <= logged, f"delivered and never logged: {sorted(received.keys() - logged)[:_SHOWN]}"
    changed = [event_id for event_id, copies in received.items() if len(copies) > 1]
    assert not changed, f"copies differ in webhook-id or body: {changed[:_SHOWN]}"
    shared = [webhook_id for webhook_id, events in webhook_ids.items() if len(events) > 1]
    assert not shared, f"one webhook-id, several events: {shared[:_SHOWN]}"


def _same(stored: Any, expected: Any) -> None:
    """Fail with the first differences."""
    keys = sorted((key for key in stored.keys() | expected.keys() if stored.get(key) != expected.get(key)), key=str)
    shown = "; ".join(f"{key}: stored {stored.get(key)}, clients were told {expected.get(key)}" for key in keys[:_SHOWN])
    assert not keys, f"{len(keys)} differ: {shown}"


ORACLES: Final[dict[str, Oracle]] = {
    "Debits equal credits, every balance follows from its entries, digests and chain verify": _books,
    "Every request got a final answer, and every repeat of it the same one": _answers,
    "Every order stands where its accepted requests lead, and there is no other order": _orders,
    "Every accepted request has its journal once, every refused one none": _journals,
    "Every person exists once": _people,
    "Available, reserved, escrow and fees are what the accepted requests add up to": _balances,
    "Every order has exactly its events, in order": _order_events,
    "Every change has its event once; sequences 1 … n, positions contiguous": _events,
    "Every request has one record, with the answer its caller got; none is open, and their chain verifies": _records,
    "Nothing waits: no request, intent, inbox row, outbox row, early event or delivery": _rest,
    "No dead letter": _dead_letters,
    "The receiver got every event, and copies are the same to the byte": _deliveries,
}

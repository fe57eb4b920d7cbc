"""Webhooks and the stream while everything that carries them is killed: nothing lost, hardly anything twice, order kept."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import asyncpg

from libs.common.contracts.envelope import Envelope
from libs.common.kernel.ids import Tenant
from tests.bench.machine import describe
from tests.chaos.fragile import Kill, plan
from tests.chaos.hooks_load import RARE, Arrival, Follower, Inn, story, tell
from tests.chaos.hooks_stack import PROCESSES, SERVERS, HooksStack
from tests.support.stacks import own_stack

TENANT: Final = Tenant("default:live")
NEIGHBOUR: Final = Tenant("neighbour:live")
"""It brings little, so that TENANT is a crowd beside it, of which a part is set aside."""
CROWD_TIMES: Final = 50
"""Events of TENANT for one of NEIGHBOUR."""
DUPLICATES_MOST: Final = 0.005
PATHS: Final = {"parallel": ("parallel", "order.*"), "per_aggregate": ("per_aggregate", "order.*"), "fifo": ("fifo", RARE)}
"""Endpoints by their path: how they are ordered, and what they subscribe to."""
_PAUSE_SECONDS: Final = (0.8, 2.4)
_POLL_SECONDS: Final = 0.25
_REST: Final = """
SELECT (SELECT count(*) FROM webhooks.deliveries_pending) + (SELECT count(*) FROM webhooks.event_gaps)
     + (SELECT count(*) FROM webhooks.outbox)
"""
_LOGGED: Final = "SELECT id FROM webhooks.event_log WHERE tenant = $1 AND type = $2 ORDER BY position"
_POSITIONS: Final = "SELECT id, position FROM webhooks.event_log WHERE tenant = $1 AND type LIKE 'order.%' ORDER BY position"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """How much happens."""

    events: int
    kills: int
    followers: int
    disconnects: int
    """Of all followers together, at least about."""
    seed: int = 20
    patience_seconds: float = 240.0
    """From the last kill until all has arrived."""

    @property
    def seconds(self) -> float:
        """How long the kills take, about."""
        return self.kills * sum(_PAUSE_SECONDS) / 2 * 1.4


@dataclass
class Seen:
    """What was there afterwards."""

    wish: Wish
    versions: dict[str, str] = field(default_factory=dict)
    servers: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    duplicates: int = 0
    refused: int = 0
    head: int = 0
    disconnects: int = 0
    breaks: int = 0
    load_seconds: float = 0.0
    rest_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    """What must not be."""

    def breaches(self) -> list[str]:
        """List what must not be."""
        found = list(self.faults)
        if self.duplicates > DUPLICATES_MOST * self.deliveries:
            found.append(f"{self.duplicates} of {self.deliveries} deliveries came again")
        if self.disconnects < self.wish.disconnects:
            found.append(f"only {self.disconnects} disconnects of {self.wish.disconnects}")
        return found


def lost(arrivals: Iterable[Arrival], wanted: Mapping[str, set[str]]) -> list[str]:
    """Name what did not arrive at an endpoint, or was not meant for it; `wanted` has the events of each path."""
    got: dict[str, set[str]] = {path: set() for path in wanted}
    for arrival in arrivals:
        got[arrival.path].add(arrival.event_id)
    found = [f"{path}: {len(wanted[path] - got[path])} events are lost" for path in wanted if wanted[path] - got[path]]
    return found + [f"{path}: {len(got[path] - wanted[path])} events came unasked" for path in wanted if got[path] - wanted[path]]


def firsts(arrivals: Iterable[Arrival]) -> tuple[list[Arrival], list[str]]:
    """Return what arrived for the first time at its endpoint, and which copies differ from it."""
    known: dict[tuple[str, str], Arrival] = {}
    differing = []
    for arrival in arrivals:
        first = known.setdefault((arrival.path, arrival.event_id), arrival)
        if first != arrival:
            differing.append(f"{arrival.path}: a copy of {arrival.event_id} is not the same as the first")
    return list(known.values()), differing


def out_of_order(first: Sequence[Arrival], logged: Sequence[str]) -> list[str]:
    """Name what came before its turn: by aggregate at `per_aggregate`, by the log's order of rare events at `fifo`."""
    found, last = list[str](), Counter[str]()
    for arrival in first:
        if arrival.path == "per_aggregate":
            if arrival.sequence != last[arrival.aggregate] + 1:
                found.append(f"{arrival.aggregate}: {arrival.sequence} came after {last[arrival.aggregate]}")
            last[arrival.aggregate] = arrival.sequence
    if [arrival.event_id for arrival in first if arrival.path == "fifo"] != list(logged):
        found.append("fifo: not in the order of the log")
    return found


async def run(wish: Wish, say: Say) -> Seen:
    """Run once on servers of our own."""
    seen, dice = Seen(wish), random.Random(wish.seed)
    events, beside = story(TENANT, wish.events, dice), story(NEIGHBOUR, wish.events // CROWD_TIMES, dice)
    inn = Inn(random.Random(dice.getrandbits(64)))
    own = own_stack(
        kind=HooksStack,
        OFFERHUB_LOCAL="embedded",
        OFFERHUB_PROCESSES=PROCESSES,
        OFFERHUB_WEBHOOK_LEASE_SECONDS="5",
        OFFERHUB_WEBHOOK_TIMEOUT_SECONDS="3",
        OFFERHUB_WEBHOOK_RETRY_SECONDS="0.2,0.5,1,2,5,5,5,5,5,5",
    )
    async with inn.open(), own as stack, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        assert isinstance(stack, HooksStack)
        seen.versions, seen.servers = await describe(stack), stack.killed_servers
        await _register(session, stack, inn)
        followers = [
            Follower(
                session,
                stack.api_url,
                await _key(session, stack, number),
                random.Random(dice.getrandbits(64)),
                wish.seconds * wish.followers / wish.disconnects * 0.7,
            )
            for number in range(wish.followers)
        ]
        following = [asyncio.create_task(follower.follow()) for follower in followers]
        try:
            await _storm(stack, _mixed(events, beside), seen, say)
            await _settle(stack, len(events) + len(beside), followers, seen)
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
        await _examine(stack, events, inn, followers, seen)
        await _examine_neighbour(stack, beside, seen)
    say(f"{seen.deliveries} deliveries, {seen.duplicates} again, {seen.disconnects} disconnects, {seen.points.total()} deaths")
    return seen


def _mixed(events: Sequence[Envelope], beside: Sequence[Envelope]) -> list[Envelope]:
    """Put one of the neighbour's after each so many of the others'."""
    mixed = list(events)
    for place, envelope in enumerate(beside, 1):
        mixed.insert(place * (CROWD_TIMES + 1) - 1, envelope)
    return mixed


async def _register(session: aiohttp.ClientSession, stack: HooksStack, inn: Inn) -> None:
    for path, (mode, events) in PATHS.items():
        wish = {"url": f"{inn.url}/{path}", "events": [events], "order_mode": mode}
        key = {"Authorization": f"Bearer {stack.shell['OFFERHUB_API_KEY']}"}
        async with session.post(f"{stack.api_url}/webhooks", json=wish, headers=key) as answer:
            assert answer.status == 201, await answer.text()


async def _key(session: aiohttp.ClientSession, stack: HooksStack, number: int) -> str:
    master = {"Authorization": f"Bearer {stack.shell['OFFERHUB_MASTER_KEY']}"}
    wish = {"name": f"follower {number}", "scopes": ["read"]}
    async with session.post(f"{stack.api_url}/auth/api-keys", json=wish, headers=master) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["data"]["key"])


async def _storm(stack: HooksStack, events: Sequence[Envelope], seen: Seen, say: Say) -> None:
    """Publish while everything is killed in turn; then wait until all of it runs."""
    wish, began = seen.wish, time.monotonic()
    shell = stack.shell
    telling = asyncio.create_task(
        tell(shell["AMQP_URL"], shell["OFFERHUB_BUS_PREFIX"], events, per_second=wish.events / wish.seconds)
    )
    names = sorted(name for name in stack.processes if name in SERVERS or name in stack.health_ports)
    say(f"publishing {wish.events:,} events, killing {wish.kills} times among {', '.join(names)}")
    pauses = random.Random(wish.seed)
    for kill in plan(names, kills=wish.kills, seed=wish.seed):
        await _kill(stack, kill, pauses.uniform(*_PAUSE_SECONDS))
    await telling
    stack.kill_the_armed()
    for name in names:
        await stack.ready(name)
    seen.load_seconds = time.monotonic() - began


async def _kill(stack: HooksStack, kill: Kill, pause: float) -> None:
    await asyncio.sleep(pause)
    if await stack.ready(kill.name):
        stack.kill(kill.name, then=kill.then)


async def _settle(stack: HooksStack, events: int, followers: Sequence[Follower], seen: Seen) -> None:
    """Wait until nothing is on its way any more, and every follower has come to the log's end."""
    began, owner = time.monotonic(), await asyncpg.connect(stack.database_url())
    try:
        while time.monotonic() < began + seen.wish.patience_seconds:
            logged = await owner.fetchval("SELECT count(*) FROM webhooks.event_log WHERE type LIKE 'order.%'")
            seen.head = await owner.fetchval("SELECT position FROM webhooks.log_heads WHERE tenant = $1", TENANT)
            is_done = logged >= events and await owner.fetchval(_REST) == 0
            if is_done and all(follower.last >= seen.head for follower in followers):
                seen.rest_seconds = time.monotonic() - began
                return
            await asyncio.sleep(_POLL_SECONDS)
        seen.faults.append(f"not at rest {seen.wish.patience_seconds:g} s after the last kill")
    finally:
        await owner.close()


async def _examine(stack: HooksStack, events: Sequence[Envelope], inn: Inn, followers: Sequence[Follower], seen: Seen) -> None:
    owner = await asyncpg.connect(stack.database_url())
    logged = [row["id"] for row in await owner.fetch(_LOGGED, TENANT, RARE)]
    await owner.close()
    first, differing = firsts(inn.arrivals)
    everything = {envelope.id for envelope in events}
    rare = {envelope.id for envelope in events if envelope.type == RARE}
    wanted = {path: rare if path == "fifo" else everything for path in PATHS}
    seen.deliveries, seen.duplicates, seen.refused = len(inn.arrivals), len(inn.arrivals) - len(first), inn.refused
    seen.disconnects, seen.breaks = (sum(getattr(one, name) for one in followers) for name in ("disconnects", "breaks"))
    seen.kills, seen.points = stack.kills, stack.points
    seen.faults += [*lost(inn.arrivals, wanted), *differing, *inn.strange, *out_of_order(first, logged), *stack.surprises]
    for number, follower in enumerate(followers, 1):
        seen.faults += [f"follower {number}: {wrong}" for wrong in follower.wrong[:3]]
        if follower.last != seen.head:
            seen.faults.append(f"follower {number} came to {follower.last} of {seen.head}")


async def _examine_neighbour(stack: HooksStack, beside: Sequence[Envelope], seen: Seen) -> None:
    owner = await asyncpg.connect(stack.database_url())
    logged = [(row["id"], row["position"]) for row in await owner.fetch(_POSITIONS, NEIGHBOUR)]
    await owner.close()
    if {name for name, _ in logged} != {envelope.id for envelope in beside}:
        seen.faults.append(f"neighbour: {len(beside)} events are lost but for {len(logged)}")
    if [position for _, position in logged] != list(range(1, len(logged) + 1)):
        seen.faults.append("neighbour: not in the log once each")

"""One chaos run: a stack of its own, load, kills, rest, repeats, oracles."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import asyncpg

from deploy.local.receiver import Receiver
from libs.common.contracts.topology import Topology
from tests.bench.machine import describe
from tests.chaos.audit import Verdict, examine
from tests.chaos.desk import ATTEMPT_SECONDS, Desk
from tests.chaos.fragile import FragileStack, carry_out, plan
from tests.chaos.load import Client
from tests.chaos.model import FEE_BPS
from tests.support.oracles import waiting
from tests.support.stacks import own_stack

PROCESSES: Final = "ledger=2,escrow=2,payouts=1,webhooks=2,gateway=2"
QUIET_SECONDS: Final = 60.0
_CALLERS: Final = 16
_POLL_SECONDS: Final = 0.25
_SERVERS: Final = ("broker", "postgres")


@dataclass(frozen=True)
class Options:
    """What a run can be told."""

    kills: int
    seed: int
    clients: int


@dataclass
class Result:
    """What a run found."""

    broker: str
    versions: dict[str, str] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    finals: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    repeats: int = 0
    orders: int = 0
    events: int = 0
    duplicates: int = 0
    load_seconds: float = 0.0
    quiet_seconds: float | None = None
    surprises: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def breaches(self) -> list[str]:
        """List everything that must not be."""
        found = [f"{verdict.fact}: {verdict.trouble}" for verdict in self.verdicts if verdict.trouble]
        if self.quiet_seconds is None:
            found.append(f"not at rest {QUIET_SECONDS:g} s after the last kill")
        return found + [f"ended by itself: {surprise}" for surprise in self.surprises]


async def run(broker: str, options: Options, say: Callable[[str], None]) -> Result:
    """Run once with `servers` (Postgres and RabbitMQ found or named) or `embedded` ones."""
    result = Result(broker)
    own = own_stack(
        kind=FragileStack, OFFERHUB_LOCAL=broker, OFFERHUB_PROCESSES=PROCESSES, OFFERHUB_PLATFORM_FEE_BPS=str(FEE_BPS)
    )
    async with Receiver() as receiver, own as stack:
        assert isinstance(stack, FragileStack)
        result.versions = await describe(stack)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            keys = (stack.shell["OFFERHUB_API_KEY"], stack.shell["OFFERHUB_SUPPORT_KEY"])
            desk = Desk(session, stack.api_url, *keys, seed=options.seed)
            await desk.post("/webhooks", {"url": receiver.url, "events": ["*"]})
            desk.notes.clear()
            await _storm(stack, desk, options, result, say)
            await _ask(stack, desk, receiver, result, say)
    result.surprises, result.points = stack.surprises, stack.points
    return result


async def _storm(stack: FragileStack, desk: Desk, options: Options, result: Result, say: Callable[[str], None]) -> None:
    """Load and kill, then wait until every client has its answer."""
    stop, people = asyncio.Event(), list[str]()
    dice = random.Random(options.seed)
    clients = [Client(desk, random.Random(dice.getrandbits(64)), people, stop) for _ in range(options.clients)]
    began = time.monotonic()
    callers = [asyncio.create_task(client.run()) for client in clients]
    names = sorted(name for name in stack.processes if name not in _SERVERS and name in stack.health_ports)
    say(f"killing {options.kills} times among {', '.join(names)}")
    await carry_out(stack, plan(names, kills=options.kills, seed=options.seed))
    stack.kill_the_armed()
    calm = time.monotonic()
    result.load_seconds = calm - began
    stop.set()
    done, late = await asyncio.wait(callers, timeout=QUIET_SECONDS)
    for caller in late:
        caller.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for caller in done:
        caller.result()
    if not late and await _at_rest(stack, deadline=calm + QUIET_SECONDS):
        result.quiet_seconds = time.monotonic() - calm
    say(
        f"at rest after {result.quiet_seconds} s; {len(desk.notes)} requests, {sum(stack.points.values())} deaths at fault points"
    )


async def _at_rest(stack: FragileStack, *, deadline: float) -> bool:
    database = await asyncpg.connect(stack.database_url())
    try:
        while await waiting(database):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await database.close()
    return True


async def _ask(stack: FragileStack, desk: Desk, receiver: Receiver, result: Result, say: Callable[[str], None]) -> None:
    """Repeat every request once more under its key, then ask the oracles."""
    result.outcomes, desk.outcomes = desk.outcomes, Counter()
    waiting_notes = iter(list(desk.notes))

    async def repeat() -> None:
        for note in waiting_notes:
            dice = random.Random(note.key)
            again = await desk.insist(note.path, note.body, note.key, dice, support=note.is_support)
            desk.compare(note, again)
            result.repeats += 1

    await asyncio.gather(*(repeat() for _ in range(_CALLERS)))
    await _at_rest(stack, deadline=time.monotonic() + QUIET_SECONDS)
    database = await asyncpg.connect(stack.database_url())
    try:
        topology = Topology(stack.settings.bus_prefix)
        result.verdicts = await examine(database, desk, receiver, amqp_url=stack.shell["AMQP_URL"], topology=topology)
        result.orders = await database.fetchval("SELECT count(*) FROM escrow.orders")
        result.events = await database.fetchval("SELECT count(*) FROM webhooks.event_log")
    finally:
        await database.close()
    result.kills = stack.kills
    result.requests = len(desk.notes)
    result.finals = Counter("accepted" if note.accepted else f"{note.status} {note.code}" for note in desk.notes)
    result.duplicates = len(receiver.deliveries) - len({headers["webhook-id"] for headers, _ in receiver.deliveries})
    for verdict in result.verdicts:
        say(f"  {'BREACH' if verdict.trouble else 'holds '}  {verdict.fact}{': ' + verdict.trouble if verdict.trouble else ''}")

"""One run of payouts under kills: a stack with a network of its own, load, deaths at every fault point, rest, oracles."""

import asyncio
import contextlib
import dataclasses
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp
import asyncpg
from stellar_sdk import Keypair

from deploy.local.stellar_keys import address_of
from libs.common.contracts.topology import Topology
from libs.common.kernel.ids import new_id
from libs.common.persistence.sealing import KeyRing
from tests.bench.machine import describe
from tests.chaos.audit import Verdict
from tests.chaos.desk import ATTEMPT_SECONDS, Desk
from tests.chaos.fragile import FragileStack
from tests.chaos.payouts.audit import Evidence, examine, held_by, pending_in_payouts
from tests.chaos.payouts.chain import Network
from tests.chaos.payouts.echo import Echo
from tests.chaos.payouts.herd import OWN_POINTS, Herd, Incubator
from tests.chaos.payouts.load import Client, World
from tests.chaos.payouts.restored import Restored, put_back
from tests.support.oracles import waiting
from tests.support.servers import embedded_postgres_server, fresh_database
from tests.support.stacks import own_stack

PROCESSES: Final = "ledger=2,escrow=0,payouts=1,webhooks=1,gateway=2"
LEDGER_MS: Final = 500
CHANNELS: Final = 8
VICTIMS: Final = 8
CLIENTS: Final = 16
QUIET_SECONDS: Final = 150.0
LONGEST_SECONDS: Final = 3_600.0
_SERVERS: Final = ("broker", "postgres")
_PAUSE_SECONDS: Final = (2.0, 8.0)
_NOTICED_SECONDS: Final = 1.0
"""Until the end of a process has been noticed, and another one is on its way."""
_LAPSE_SECONDS: Final = 0.25
_LEGACY_SECONDS: Final = 0.15
_POLL_SECONDS: Final = 0.25
_TELL_SECONDS: Final = 10.0
_LAPSE: Final = """
WITH ended AS (UPDATE payouts.channels SET lease_until = now() - interval '1 second' WHERE random() < 0.5)
UPDATE payouts.scans SET lease_until = now() - interval '1 second'
"""
_LEGACY: Final = """
INSERT INTO payouts.wallets (tenant, id, user_id, public_key, provider, network, sealed_secret, chain_state, sequence, created_at)
VALUES ('chaos-before:live', $1, $2, $3, 'stellar', 'testnet', $4, 'READY', 0, now())
"""


@dataclass(frozen=True)
class Wish:
    """How often each fault point is to kill, and by which dice."""

    kills_per_point: int
    seed: int


@dataclass
class Seen:
    """What a run found."""

    wish: Wish
    versions: dict[str, str] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    """From outside, by service."""
    echoes: int = 0
    figures: dict[str, str] = field(default_factory=dict)
    quiet_seconds: float | None = None
    surprises: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    restored: Restored = field(default_factory=Restored)

    def breaches(self) -> list[str]:
        """List everything that must not be."""
        found = [f"{verdict.fact}: {verdict.trouble}" for verdict in self.verdicts if verdict.trouble]
        if self.quiet_seconds is None:
            found.append(f"not at rest {QUIET_SECONDS:g} s after the last kill")
        wanted = self.wish.kills_per_point
        found += [f"{point} killed {self.points[point]} times of {wanted}" for point in OWN_POINTS if self.points[point] < wanted]
        return found + [f"ended by itself: {surprise}" for surprise in self.surprises] + self.restored.breaches()


@dataclass
class Scene:
    """Everything there is in a run."""

    stack: FragileStack
    world: World
    database: asyncpg.Connection
    incubator: Incubator
    dice: random.Random
    seen: Seen
    keys: list[str]
    """The wallets' keys in two orders: which one is first is the newest."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What a payouts process is told."""
        told = dict(self.stack.processes["payouts-1"].command.environment)
        told.pop("OFFERHUB_HEALTH_PORT_FILE")
        return told

    def rotating(self) -> list[Mapping[str, str]]:
        """What `rotate-keys` is told, to and fro."""
        told = dict(self.stack.processes["signer-1"].command.environment)
        return [told | {"OFFERHUB_WALLET_KEYS": keys} for keys in self.keys]


def run(wish: Wish, say: Callable[[str], None]) -> Seen:
    """Run once, with RabbitMQ where there is one, and a Postgres of its own."""
    with TemporaryDirectory(prefix="offerhub-chaos-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # an embedded Postgres started by root runs as nobody, and must get through
        with embedded_postgres_server(Path(directory) / "postgres") as server, fresh_database(server) as database:
            return asyncio.run(_run(wish, server, database, Path(directory), say))


async def _run(wish: Wish, server_url: str, database_url: str, directory: Path, say: Callable[[str], None]) -> Seen:
    seen = Seen(wish)
    async with _scene(seen, database_url, directory) as scene:
        say(f"each of {len(OWN_POINTS)} fault points of payouts kills {wish.kills_per_point} times")
        initial = await held_by(scene.world.network, scene.database)
        first = (time.monotonic(), await scene.world.network.tip())
        await _storm(scene, say)
        if await _at_rest(scene, time.monotonic() + QUIET_SECONDS):
            seen.quiet_seconds = time.monotonic() - first[0] - float(seen.figures["seconds of load and kills"])
        now, tip = time.monotonic(), await scene.world.network.tip()
        pace = (tip[1] - first[1][1]) / (now - first[0])
        topology = Topology(scene.stack.settings.bus_prefix)
        urls = (scene.stack.database_url(), scene.stack.shell["AMQP_URL"])
        evidence = Evidence(scene.database, scene.world, initial, pace, *urls, topology)
        seen.verdicts = await examine(evidence)
        seen.figures |= evidence.figures | {"ledgers": f"{tip[0] - first[1][0]:,}"}
        for verdict in seen.verdicts:
            found = f"BREACH  {verdict.fact}: {verdict.trouble}" if verdict.trouble else f"holds   {verdict.fact}"
            say(f"  {found}")
        seen.kills, seen.surprises = scene.stack.kills.copy(), seen.surprises + scene.stack.surprises
        seen.restored = await put_back(scene.stack, server_url, scene.world, say)
    return seen


@contextlib.asynccontextmanager
async def _scene(seen: Seen, database_url: str, directory: Path) -> AsyncIterator[Scene]:
    dice = random.Random(seen.wish.seed)
    async with contextlib.AsyncExitStack() as exits:
        own = own_stack(
            kind=FragileStack,
            DATABASE_URL=database_url,
            OFFERHUB_PROCESSES=PROCESSES,
            OFFERHUB_LEDGER_MS=str(LEDGER_MS),
            OFFERHUB_POOL_SIZE="3",
            STELLAR_CHANNELS=str(CHANNELS),
        )
        stack = await exits.enter_async_context(own)
        assert isinstance(stack, FragileStack)
        seen.versions = await describe(stack)
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        session = await exits.enter_async_context(aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)))
        keys = (stack.shell["OFFERHUB_API_KEY"], stack.shell["OFFERHUB_SUPPORT_KEY"])
        desk = Desk(session, stack.api_url, *keys, seed=seen.wish.seed)
        issuer = stack.shell["OFFERHUB_SANDBOX_ISSUER_SECRET"]
        network = Network(session, stack.shell["STELLAR_HORIZON_URL"], f"USDC:{address_of(issuer)}", issuer)
        world = World(desk, network, [await network.somebody() for _ in range(8)])
        database = await asyncpg.connect(stack.database_url())
        exits.push_async_callback(database.close)
        incubator = await exits.enter_async_context(Incubator.running(directory))
        yield Scene(stack, world, database, incubator, dice, seen, await _two_keys(stack))


async def _two_keys(stack: FragileStack) -> list[str]:
    """Have the signer know another key of wallets, under which it wraps from now on."""
    child = stack.processes["signer-1"]
    old = child.command.environment["OFFERHUB_WALLET_KEYS"]
    name, _, _ = old.partition(":")
    new = f"{name}.2:{secrets.token_hex(32)}"
    told = {**child.command.environment, "OFFERHUB_WALLET_KEYS": f"{new},{old}"}
    child.command = dataclasses.replace(child.command, environment=told)
    stack.kill("signer-1", then="")
    await asyncio.sleep(_NOTICED_SECONDS)
    assert await stack.ready("signer-1")
    stack.kills.clear()
    return [f"{new},{old}", f"{old},{new}"]


async def _storm(scene: Scene, say: Callable[[str], None]) -> None:
    """Load and kill until every point has killed often enough, then let the clients end."""
    seen, stop = scene.seen, asyncio.Event()
    herd = Herd(scene.incubator, scene.environment, seen.wish.kills_per_point, scene.dice)
    echo = Echo(random.Random(seen.wish.seed))
    clients = [Client(scene.world, random.Random(scene.dice.getrandbits(64)), stop) for _ in range(CLIENTS)]
    began = time.monotonic()
    bus = (scene.stack.shell["AMQP_URL"], Topology(scene.stack.settings.bus_prefix))
    async with echo.on(*bus), asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.run())
        workers = [tasks.create_task(herd.keep(number)) for number in range(VICTIMS)]
        workers.append(tasks.create_task(herd.rotate(scene.rotating())))
        hands = [tasks.create_task(hand) for hand in (_kill_at_random(scene), _let_lapse(scene), _leave_legacies(scene, herd))]
        await _until_done(scene, herd, say, deadline=began + LONGEST_SECONDS)
        herd.end()
        await asyncio.gather(*workers)
        for hand in hands:
            hand.cancel()
        stop.set()
        seen.figures["seconds of load and kills"] = f"{time.monotonic() - began:.0f}"
    seen.points, seen.echoes = herd.deaths, echo.count
    seen.surprises += herd.surprises
    scene.stack.kills["payouts"] += herd.kills


async def _until_done(scene: Scene, herd: Herd, say: Callable[[str], None], *, deadline: float) -> None:
    began = told = time.monotonic()
    while not herd.is_done and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        if time.monotonic() > told + _TELL_SECONDS:
            told = time.monotonic()
            say(f"{told - began:.0f} s, {len(scene.world.asked)} withdrawals, deaths: {dict(herd.deaths)}")


async def _kill_at_random(scene: Scene) -> None:
    """Kill processes of the stack, the network's among them, one at a time: the next when all are back."""
    names = sorted(name for name in scene.stack.processes if name not in _SERVERS)
    while True:
        for name in scene.dice.sample(names, len(names)):
            await asyncio.gather(*(scene.stack.ready(each) for each in names))
            await asyncio.sleep(scene.dice.uniform(*_PAUSE_SECONDS))
            scene.stack.kill(name, then="")
            await asyncio.sleep(_NOTICED_SECONDS)


async def _let_lapse(scene: Scene) -> None:
    """End leases at any time, also of those who work: two of them are on one channel, and two scan."""
    own = await asyncpg.connect(scene.stack.database_url())
    try:
        while True:
            await own.execute(_LAPSE)
            await asyncio.sleep(_LAPSE_SECONDS)
    finally:
        own.terminate()


async def _leave_legacies(scene: Scene, herd: Herd) -> None:
    """Leave wallets as an older version wrote them, while a process waits to die of taking one over."""
    ring = KeyRing.parse(scene.keys[1].split(",")[0], entropy=os.urandom)
    own = await asyncpg.connect(scene.stack.database_url())
    try:
        while True:
            await asyncio.sleep(_LEGACY_SECONDS)
            if herd.armed["secrets.moved"]:
                wallet, pair = new_id("wal"), Keypair.random()
                user = wallet.replace("wal_", "usr_")
                sealed = ring.seal(pair.secret.encode(), "chaos-before:live", user, pair.public_key)
                await own.execute(_LEGACY, wallet, user, pair.public_key, sealed)
    finally:
        own.terminate()


async def _at_rest(scene: Scene, deadline: float) -> bool:
    """Wait until the chain has been looked through as far as it was when everybody had done, and nothing is under way."""
    last, _ = await scene.world.network.tip()
    while not await _is_at_rest(scene.database, last):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


async def _is_at_rest(database: asyncpg.Connection, ledger: int) -> bool:
    is_seen = await database.fetchval("SELECT min(ledger) >= $1 FROM payouts.scans", ledger)
    return bool(is_seen) and not (await waiting(database) or await pending_in_payouts(database))

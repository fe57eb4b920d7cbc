"""Runs the rounds: starts a stack, calibrates, lets the generator play, looks at the books."""

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import asyncpg
import httpx
import msgspec

from deploy.local.databases import create_database, drop_database
from deploy.local.servers import database_named_in, with_database
from deploy.local.stack import Stack
from tests.bench import echo, generate, journals
from tests.bench.figures import CONNECTIONS, CROWD, CROWDED, HEADLINE, OTHERS_CORES, SCENARIOS, Figure, Results, median
from tests.bench.machine import describe
from tests.bench.processes import memory_mb
from tests.support.oracles import books_hold
from tests.support.stacks import address, check_identity, own_stack, pids, pids_by_kind

USERS = 200
CREDIT = "100000000.00"
RESERVES_PER_SECOND = {1: 250, 16: 1_000, 64: 2_500}
"""By connections: more than any machine seen so far can do."""
SETTLE_SECONDS = 60.0
PART_SECONDS = 120.0
_IDLE_SECONDS = 3.0
_AT_ONCE = 16
_BESIDE = ("signer", "horizon")
"""Processes of a stack that are none of the five services: payouts' signer, and the sandbox."""
Say = Callable[[str], None]
T = TypeVar("T")


class InvalidRunError(Exception):
    """The figures mean nothing: something failed while they were taken."""


class Bench:
    """One run against one stack."""

    def __init__(self, stack: Stack, *, seconds: float, rounds: int, say: Say) -> None:
        """Measure `rounds` times `seconds`."""
        self._stack = stack
        self._seconds = seconds
        self._rounds = rounds
        self._say = say
        self._database = database_named_in(stack.database_url())
        self._users: list[str] = []
        self.played: dict[str, int] = dict.fromkeys((*SCENARIOS, *CROWDED), 0)
        self._prepared = 0
        self.calibrations: dict[str, float] = {}

    async def calibrate(self, name: str) -> float:
        """Measure the bare bus."""
        task = echo.Task(self._stack.shell["AMQP_URL"], min(self._seconds, 3.0))
        self.calibrations[name] = float(await run_module("tests.bench.echo", msgspec.json.encode(task) + b"\n"))
        self._say(f"  calibration     {self.calibrations[name]:>8,.0f} echoes/s")
        return self.calibrations[name]

    async def users(self) -> None:
        """Sign users up, with money."""
        keys = self._stack.shell
        some = asyncio.Semaphore(_AT_ONCE)
        async with httpx.AsyncClient(base_url=self._stack.api_url, timeout=30, trust_env=False) as client:

            async def make(number: int) -> str:
                async with some:
                    user: str = await _post(client, keys["OFFERHUB_API_KEY"], "/users", {"external_user_id": f"bench-{number}"})
                    money = {"amount": CREDIT, "currency": "USD", "reference": f"bench-{number}"}
                    await _post(client, keys["OFFERHUB_SUPPORT_KEY"], f"/users/{user}/balance/credit", money)
                    return user

            self._users = await asyncio.gather(*map(make, range(USERS)))

    async def scenario(self, name: str) -> list[Figure]:
        """Measure one scenario at every number of connections."""
        self._say(f"\n{SCENARIOS[name]}")
        await self.vacuum()
        calibration = await self.calibrate(name)
        rounds: dict[int, list[generate.Round]] = {connections: [] for connections in CONNECTIONS}
        for _ in range(self._rounds):
            for connections in CONNECTIONS:
                rounds[connections].append(await self.round(name, connections))
        return [_figure(name, connections, found, calibration) for connections, found in rounds.items()]

    async def round(self, name: str, connections: int) -> generate.Round:
        """Play a scenario once.

        Raises:
            InvalidRunError: a request failed.
        """
        host, port = address(self._stack)
        prepared = int(RESERVES_PER_SECOND[connections] * (self._seconds + 1)) if name == "reserve" else 0
        task = generate.Task(
            scenario=name,
            host=host,
            port=port,
            key=self._stack.shell["OFFERHUB_API_KEY"],
            run=secrets.token_hex(6),
            users=self._users,
            connections=connections,
            seconds=self._seconds,
            watched=pids_by_kind(self._stack),
            database=self._database,
            prepared=prepared,
        )
        answer = await run_module("tests.bench.generate", msgspec.json.encode(task))
        seen = msgspec.json.decode(answer, type=generate.Round)
        rate = seen.scripts / seen.seconds
        self._say(f"  {connections:>3} connections {rate:>8,.0f}/s   p50 {seen.script_ms[0]:.1f} ms   {_disturbed(seen)}")
        if seen.failed:
            raise InvalidRunError(f"{name} at {connections}: {seen.failed} failed, for example {seen.failures}")
        self.played[name] += seen.played
        self._prepared += prepared
        return seen

    async def crowd(self, name: str) -> float:
        """Measure a read at 128 connections."""
        self._say(f"\n{CROWDED[name]}")
        rounds = [await self.round(name, CROWD) for _ in range(self._rounds)]
        return median([found.scripts / found.seconds for found in rounds])

    async def vacuum(self) -> None:
        """Give the planner its statistics."""
        owner = await asyncpg.connect(self._stack.database_url())
        await journals.vacuum(owner)
        await owner.close()

    async def settle(self) -> tuple[float, int]:
        """Wait until every order's events are logged and nothing is pending, and check the books; (seconds, events)."""
        began = time.monotonic()
        owner = await asyncpg.connect(self._stack.database_url())
        try:
            while unfinished := await owner.fetchrow(_UNFINISHED):
                if time.monotonic() > began + SETTLE_SECONDS:
                    raise InvalidRunError(f"after {SETTLE_SECONDS:g} s: {dict(unfinished)}")
                await asyncio.sleep(0.05)
            lag = time.monotonic() - began
            await books_hold(owner)
            closed = await owner.fetchval("SELECT count(*) FROM escrow.orders WHERE final_status = 'RELEASED'")
            orders = await owner.fetchval("SELECT count(*) FROM escrow.orders")
            events: int = await owner.fetchval("SELECT count(*) FROM webhooks.event_log")
        finally:
            await owner.close()
        made = self._prepared + sum(self.played[name] for name in ("create order", "create and reserve", "lifecycle"))
        if closed != self.played["lifecycle"] or orders != made:
            raise InvalidRunError(f"{self.played} were answered, {orders} orders and {closed} releases are in the database")
        return lag, events


_UNFINISHED = """
SELECT * FROM (
  SELECT (SELECT sum(sequence) FROM escrow.orders) - (SELECT count(*) FROM webhooks.event_log WHERE aggregate LIKE 'order:%')
         AS unlogged, (SELECT count(*) FROM escrow.orders WHERE pending IS NOT NULL) AS pending) AS left_over
 WHERE unlogged <> 0 OR pending <> 0
"""


async def run(*, seconds: float, rounds: int, say: Say) -> Results:
    """Measure everything.

    Raises:
        InvalidRunError: a request failed or the database does not hold what was answered. AssertionError: the books don't hold.
    """
    say("starting a stack of its own")
    async with _stack() as stack:
        await check_identity(stack)
        await asyncio.sleep(_IDLE_SECONDS)
        idle = {name: memory_mb(pid) for name, pid in pids(stack).items() if _is_counted(stack, name)}
        bench = Bench(stack, seconds=seconds, rounds=rounds, say=say)
        await bench.users()
        figures = [figure for name in SCENARIOS for figure in await bench.scenario(name)]
        say(f"\nat {CROWD} connections, one gateway and two")
        crowd = {name: {1: await bench.crowd(name)} for name in CROWDED}
        lag, events = await bench.settle()
        say(f"\nbooks hold; {events:,} events logged, the last {lag:.1f} s after the load")
        say("\njournals through the write path, from memory")
        await bench.calibrate("journals")
        written = await _journals(stack, rounds=rounds)
        machine = await describe(stack)
    async with _stack(gateways=2) as stack:
        pair = Bench(stack, seconds=seconds, rounds=rounds, say=say)
        await pair.users()
        for name, rates in crowd.items():
            rates[2] = await pair.crowd(name)
    return Results(
        calibrations=bench.calibrations,
        figures=figures,
        journals_spread=written.spread,
        journals_hot=written.hot,
        journals_cpu_us=written.cpu_us,
        idle_rss_mb={name: memory[0] for name, memory in idle.items()},
        idle_pss_mb={name: memory[1] for name, memory in idle.items()},
        log_lag_seconds=lag,
        events_logged=events,
        crowd=crowd,
        machine=machine,
    )


async def only(name: str, *, seconds: float, say: Say) -> None:
    """Measure one scenario at 1 and at 64 connections, warmed up, and print what it cost whom."""
    async with _stack() as stack:
        bench = Bench(stack, seconds=seconds, rounds=1, say=say)
        await bench.users()
        await bench.round(name, CONNECTIONS[1])
        await bench.vacuum()
        for connections in (CONNECTIONS[0], HEADLINE):
            seen = await bench.round(name, connections)
            used = sorted(seen.cpu_us.items(), key=lambda it: -it[1])
            say(f"  {sum(seen.cpu_us.values()):.0f} µs of CPU an answer: {', '.join(f'{who} {cost:.0f}' for who, cost in used)}")


def _is_counted(stack: Stack, name: str) -> bool:
    return name in stack.health_ports and name.partition("-")[0] not in _BESIDE


def _stack(*, gateways: int = 1) -> contextlib.AbstractAsyncContextManager[Stack]:
    """Run a stack whose gateway counts every request, and finds none one too many."""
    return own_stack(
        supervised=False,
        OFFERHUB_PROCESSES=f"gateway={gateways}",
        OFFERHUB_RATE_LIMITS="on",
        OFFERHUB_REQUESTS_PER_MINUTE="1000000000",
    )


async def _journals(stack: Stack, *, rounds: int, profile: bool = False) -> journals.Journals:
    """Measure in a database of its own on the stack's server, while the stack idles."""
    server = with_database(stack.database_url(), "postgres")
    name = f"offerhub_bench_{secrets.token_hex(4)}"
    await create_database(server, name)
    try:
        task = journals.Task(with_database(server, name), rounds, profile)
        return msgspec.json.decode(await run_module("tests.bench.journals", msgspec.json.encode(task)), type=journals.Journals)
    finally:
        await drop_database(server, name)


async def profile(say: Say) -> None:
    """Print where the write path spends its time."""
    async with own_stack(supervised=False) as stack:
        written = await _journals(stack, rounds=1, profile=True)
        say(f"under the profiler: {written.spread[0]:,.0f} journals/s spread, {written.hot[0]:,.0f}/s hot")


async def run_module(module: str, told: bytes) -> bytes:
    """Run a part of the bench in a process of its own and return what it prints.

    Raises:
        InvalidRunError: it failed; what it said is on stderr.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PART_SECONDS):
            answer, _ = await process.communicate(told)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise InvalidRunError(f"{module} did not end within {PART_SECONDS:g} s") from None
    if process.returncode != 0:
        raise InvalidRunError(f"{module} ended with status {process.returncode}")
    return answer


def _disturbed(seen: generate.Round) -> str:
    return f"(others used {seen.others:.2f} cores)" if seen.others > OTHERS_CORES else ""


def _figure(name: str, connections: int, rounds: list[generate.Round], calibration: float) -> Figure:
    rates = [found.scripts / found.seconds for found in rounds]
    middle = rounds[rates.index(median(rates))]
    return Figure(
        scenario=name,
        connections=connections,
        per_second=median(rates),
        lowest=min(rates),
        highest=max(rates),
        p50_ms=median([found.script_ms[0] for found in rounds]),
        p99_ms=median([found.script_ms[1] for found in rounds]),
        ratio=median(rates) / calibration,
        cpu_us=middle.cpu_us,
        others=max(found.others for found in rounds),
    )


async def _post(client: httpx.AsyncClient, key: str, path: str, body: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": secrets.token_hex(16)}
    answer = await client.post(path, json=body, headers=headers)
    if not answer.is_success:
        raise InvalidRunError(f"{path}: {answer.status_code} {answer.text}")
    made: str = answer.json()["data"].get("id", "")
    return made

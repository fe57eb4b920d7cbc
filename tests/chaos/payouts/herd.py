"""Processes of payouts that die: each comes back at once, armed with the fault point that has killed least."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from libs.common.messaging.faults import POINTS
from tests.chaos.fragile import FAULT
from tests.chaos.payouts.incubator import Told, Wanted

ROOT: Final = Path(__file__).resolve().parents[3]
FAMILIES: Final = ("slot", "envelope", "scan", "creation", "secrets")
WORKER_POINTS: Final = tuple(point for point in POINTS if point.partition(".")[0] in FAMILIES)
ROTATION: Final = "keys.rewrapped"
"""Passed by a command of the operator's, not by a worker."""
OWN_POINTS: Final = (*WORKER_POINTS, ROTATION)
_OUTSIDE_SHARE: Final = 0.05
_OUTSIDE_SECONDS: Final = (0.5, 8.0)
_PATIENCE_SECONDS: Final = 30.0
"""A process that has not passed its point by then is killed, and another point has its turn."""
_PAUSE_SECONDS: Final = 0.5
_LAST_CHARACTERS: Final = 6_000


@dataclass
class Incubator:
    """The client's side of `incubator.py`."""

    process: asyncio.subprocess.Process
    logs: Path
    _asked: deque[asyncio.Future[tuple[int, asyncio.Future[int]]]] = field(default_factory=deque)
    _ends: dict[int, asyncio.Future[int]] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, logs: Path) -> AsyncIterator["Incubator"]:
        """Have one for the length of a block."""
        pipe = asyncio.subprocess.PIPE
        module = "tests.chaos.payouts.incubator"
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, cwd=ROOT, stdin=pipe, stdout=pipe)
        incubator = cls(process, logs)
        listening = asyncio.create_task(incubator._listen())
        try:
            yield incubator
        finally:
            if process.stdin is not None:
                process.stdin.close()
            await process.wait()
            listening.cancel()
            await asyncio.wait([listening])

    async def bear(self, module: str, *arguments: str, environment: Mapping[str, str]) -> tuple[int, asyncio.Future[int]]:
        """Start a process; return its pid, and what will tell how it ended."""
        assert self.process.stdin is not None
        born: asyncio.Future[tuple[int, asyncio.Future[int]]] = asyncio.get_running_loop().create_future()
        self._asked.append(born)
        wanted = Wanted(module, list(arguments), dict(environment), str(self.logs))
        self.process.stdin.write(msgspec.json.encode(wanted) + b"\n")
        await self.process.stdin.drain()
        return await born

    def last_words(self, pid: int) -> str:
        """Return the end of what a process wrote."""
        return (self.logs / f"{pid}.log").read_text(errors="replace")[-_LAST_CHARACTERS:]

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = msgspec.json.decode(line, type=Told)
            if told.status is not None:
                self._ends.pop(told.pid).set_result(told.status)
                continue
            end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._ends[told.pid] = end
            self._asked.popleft().set_result((told.pid, end))


@dataclass
class Herd:
    """Keeps so many processes alive, each until it dies; `target` deaths are wanted at each point."""

    incubator: Incubator
    environment: Mapping[str, str]
    target: int
    dice: random.Random
    deaths: Counter[str] = field(default_factory=Counter)
    """By point."""
    kills: int = 0
    """From outside."""
    surprises: list[str] = field(default_factory=list)
    """Processes that ended without anybody having planned it."""
    armed: Counter[str] = field(default_factory=Counter)
    """Processes that are to die next, by point."""
    is_over: bool = False
    _pids: dict[int, int] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Tell whether every point has killed often enough."""
        return all(self.deaths[point] >= self.target for point in OWN_POINTS)

    async def keep(self, number: int) -> None:
        """Keep one process until it is over."""
        while not self.is_over:
            point = self._choose()
            environment = {**self.environment, FAULT: f"{point}:1" if point else "", "OFFERHUB_INSTANCE": f"herd-{number}"}
            self.armed[point] += 1
            try:
                pid, end = await self.incubator.bear("services.payouts", environment=environment)
                self._pids[number] = pid
                await self._watch(pid, end, point)
            finally:
                self.armed[point] -= 1

    async def rotate(self, environments: list[Mapping[str, str]]) -> None:
        """Rotate the wallets' keys to and fro, and kill it now and then until it has died often enough."""
        turn = 0
        while not self.is_over:
            is_fatal = self.deaths[ROTATION] < self.target and turn % 5 > 0
            environment = {**environments[turn // 5 % len(environments)], FAULT: f"{ROTATION}:1" if is_fatal else ""}
            pid, end = await self.incubator.bear("services.payouts", "rotate-keys", environment=environment)
            status = await end
            turn += 1
            if is_fatal and status == -signal.SIGKILL:
                self.deaths[ROTATION] += 1
            elif status:
                self.surprises.append(f"rotate-keys ended with {status}: {self.incubator.last_words(pid)}")
            await asyncio.sleep(_PAUSE_SECONDS if self.deaths[ROTATION] < self.target else 10 * _PAUSE_SECONDS)

    def end(self) -> None:
        """Kill them all, for good."""
        self.is_over = True
        for pid in self._pids.values():
            _kill(pid)

    def _choose(self) -> str:
        """Name the point that has killed least, counting those that are about to; none now and then, and when all have enough."""
        wanting = [point for point in WORKER_POINTS if self.deaths[point] < self.target]
        if not wanting or self.dice.random() < _OUTSIDE_SHARE:
            return ""
        self.dice.shuffle(wanting)
        return min(wanting, key=lambda point: self.deaths[point] + self.armed[point])

    async def _watch(self, pid: int, end: asyncio.Future[int], point: str) -> None:
        """Wait until it dies, and see to it that it does."""
        seconds = _PATIENCE_SECONDS if point else self.dice.uniform(*_OUTSIDE_SECONDS)
        done, _ = await asyncio.wait([end], timeout=seconds)
        if not done:
            _kill(pid)
            self.kills += 1
        status = await end
        if done and point and status == -signal.SIGKILL:
            self.deaths[point] += not self.is_over
        elif status != -signal.SIGKILL:
            told = self.incubator.last_words(pid)
            self.surprises.append(f"a process armed with {point or 'nothing'} ended with {status}: {told}")


def _kill(pid: int) -> None:
    """Kill a process whose end we were not told of: its parent has not buried it, or did a moment ago."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

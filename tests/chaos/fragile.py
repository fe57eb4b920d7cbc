"""A stack whose processes are killed on purpose, and a killer that does it by a seeded plan."""

import asyncio
import dataclasses
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from deploy.local.processes import Child, Command, last_lines
from deploy.local.settings import LocalSettings
from deploy.local.stack import Say, Stack
from libs.common.messaging.faults import POINTS

FAULT: Final = "OFFERHUB_FAULT"
PAUSE_SECONDS: Final = (0.2, 1.5)
_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.02
_ARMED_SHARE: Final = 0.85
_TAIL_LINES: Final = 6

_WORKERS: Final = ("ledger", "escrow", "payouts", "webhooks")
_REPERTOIRE: Final = {
    "write": _WORKERS,
    "relay": _WORKERS,
    "intent": ("escrow",),
    "delivery": ("webhooks",),
    "backlog": ("webhooks",),
    "request": ("gateway",),
}
"""Which services pass the points of a family under this load; what it never passes is not armed."""
_PASSES_MAX: Final = {"write": 12, "relay": 1, "intent": 1, "delivery": 4, "backlog": 2, "request": 12}
"""Points that a healthy stack rarely passes kill at the first pass."""
_OFTEN: Final = {"intent": 3, "delivery": 2}
"""Families that only one service passes have their turn more often there."""


class FragileStack(Stack):
    """Counts how its processes end, and starts some of them again with a fault point armed."""

    backoff_seconds = (0.1,)

    def __init__(self, settings: LocalSettings, *, say: Say = print, supervised: bool) -> None:
        super().__init__(settings, say=say, supervised=supervised)
        self.kills: Counter[str] = Counter()
        """Kills from outside, by service."""
        self.points: Counter[str] = Counter()
        """Deaths at a fault point, by point."""
        self.surprises: list[str] = []
        """Processes that ended without anybody having planned it."""
        self._killed: set[int] = set()
        self._next_fault: dict[str, str] = {}

    def kill(self, name: str, *, then: str) -> None:
        """Kill -9 a process; it comes back with the fault `then` armed, or with none."""
        child = self.processes[name]
        self._killed.add(child.identity.pid)
        self._next_fault[name] = then
        self.kills[name.partition("-")[0]] += 1
        child.identity.signal(signal.SIGKILL)

    def kill_the_armed(self) -> None:
        """Kill what might still die of its fault later."""
        for name, child in list(self.processes.items()):
            if child.command.environment.get(FAULT) and child.exit_status() is None:
                self.kill(name, then="")

    def next_command(self, child: Child) -> Command:
        """Take down how a process ended; arm the one that takes its place."""
        name, environment = child.command.name, dict(child.command.environment)
        armed, status = environment.pop(FAULT, ""), child.exit_status()
        if child.identity.pid not in self._killed:
            if armed and status == -signal.SIGKILL:
                self.points[armed.partition(":")[0]] += 1
            else:
                self.surprises.append(f"{name} ended with {status}:\n{last_lines(child.command.log, _TAIL_LINES)}")
        fault = self._next_fault.pop(name, "")
        return dataclasses.replace(child.command, environment=environment | ({FAULT: fault} if fault else {}))

    async def ready(self, name: str) -> bool:
        """Wait until a process runs and has its health port."""
        deadline = time.monotonic() + _READY_SECONDS
        while self.processes[name].exit_status() is not None or not self.health_ports[name]:
            if time.monotonic() > deadline:
                self.surprises.append(f"{name} did not come back within {_READY_SECONDS:g} s")
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True


@dataclasses.dataclass(frozen=True)
class Kill:
    """One line of the plan: wait, kill, and come back with a fault or without."""

    pause_seconds: float
    name: str
    then: str


def plan(names: list[str], *, kills: int, seed: int) -> list[Kill]:
    """Draw up a plan: the same seed and processes give the same one. Every process has its turn equally often."""
    dice = random.Random(seed)
    faults = {name: _faults(dice, name.partition("-")[0]) for name in names}
    victims = [name for _ in range(-(-kills // len(names))) for name in dice.sample(names, len(names))][:kills]
    return [Kill(dice.uniform(*PAUSE_SECONDS), name, next(faults[name])) for name in victims]


async def carry_out(stack: FragileStack, kills: list[Kill]) -> None:
    """Kill as planned; a process that is just coming back is waited for."""
    for kill in kills:
        await asyncio.sleep(kill.pause_seconds)
        if not await stack.ready(kill.name):
            return
        stack.kill(kill.name, then=kill.then)


def _faults(dice: random.Random, service: str) -> Iterator[str]:
    """Name the faults that a service's processes come back with, one after the other and some of them none, for ever."""
    points = [point for point in POINTS for _ in range(_turns(service, point.partition(".")[0]))]
    dice.shuffle(points)
    for point in itertools.cycle(points or [""]):
        armed = point and dice.random() < _ARMED_SHARE
        yield f"{point}:{dice.randint(1, _PASSES_MAX[point.partition('.')[0]])}" if armed else ""


def _turns(service: str, family: str) -> int:
    return _OFTEN.get(family, 1) if service in _REPERTOIRE.get(family, ()) else 0

"""The generator, a process of its own: plays a scenario over some connections for some seconds; JSON in, JSON out."""

import asyncio
import sys
import time

import msgspec
import uvloop

from tests.bench.processes import Sample, Watched, machine_seconds, sample, spent
from tests.bench.scenarios import Scenarios
from tests.support.wire import Api, Load, Script, play

WARM_UP_SECONDS = 0.5
_PREPARING = 64
_MACHINE = "the machine"


class Task(msgspec.Struct, frozen=True):
    """What to play, against which gateway, and whose CPU to watch meanwhile."""

    scenario: str
    host: str
    port: int
    key: str
    run: str
    users: list[str]
    connections: int
    seconds: float
    watched: Watched
    database: str
    prepared: int = 0
    """Orders to make beforehand, for a scenario that needs them."""


class Round(msgspec.Struct, frozen=True):
    """What was seen in the window between warm-up and end."""

    seconds: float
    scripts: int
    """Scripts that came to their end in the window."""
    answers: int
    script_ms: list[float]
    """p50 and p99 of whole scripts."""
    answer_ms: list[float]
    """p50 and p99 of single answers."""
    failed: int
    failures: list[str]
    played: int
    """Scripts that came to their end, the warm-up and the tail included."""
    opened: float
    """When the window opened, in seconds since 1970."""
    cpu_us: dict[str, float]
    """CPU per answer by process, in µs."""
    others: float
    """Cores that processes which have nothing to do with the bench kept busy."""


def main() -> None:
    """Read the task from stdin, write the round to stdout."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(task))))


async def _run(task: Task) -> Round:
    loop = asyncio.get_running_loop()
    api = Api(host=task.host, port=task.port, key=task.key, run=task.run)
    scenarios = Scenarios(api, task.users)
    await _prepare(scenarios, task)
    make = scenarios.named(task.scenario)
    started = time.perf_counter()
    until = started + WARM_UP_SECONDS + task.seconds

    def next_script() -> Script | None:
        if time.perf_counter() >= until:
            return None
        if task.prepared and not scenarios.ready:
            load.fail("no prepared order is left")
            return None
        return make()

    load = Load(next_script)
    before: Sample = {}
    after: Sample = {}
    edges: list[float] = []
    opened: list[float] = []

    def open_window() -> None:
        before.update(_sample(task))
        opened.append(time.time())  # noqa: TID251 - compared with what the services logged
        edges.append(time.perf_counter())

    def close_window() -> None:
        edges.append(time.perf_counter())
        after.update(_sample(task))

    loop.call_later(WARM_UP_SECONDS, open_window)
    loop.call_later(WARM_UP_SECONDS + task.seconds, close_window)
    await play(load, host=task.host, port=task.port, connections=task.connections)
    while len(edges) < 2:
        await asyncio.sleep(0.01)
    return _round(load, edges[0], edges[1], opened[0], spent(before, after))


async def _prepare(scenarios: Scenarios, task: Task) -> None:
    left = task.prepared

    def next_script() -> Script | None:
        nonlocal left
        left -= 1
        return scenarios.prepare() if left >= 0 else None

    if left:
        await play(Load(next_script), host=task.host, port=task.port, connections=_PREPARING)


def _sample(task: Task) -> Sample:
    return sample(task.watched, task.database) | {"generator": {0: time.process_time()}, _MACHINE: {0: machine_seconds()}}


def _round(load: Load, start: float, end: float, opened: float, cpu: dict[str, float]) -> Round:
    machine = cpu.pop(_MACHINE)
    answers = [took for when, took, _ in load.answers if start <= when < end]
    scripts = [took for when, took in load.played if start <= when < end]
    return Round(
        seconds=end - start,
        scripts=len(scripts),
        answers=len(answers),
        script_ms=percentiles(scripts),
        answer_ms=percentiles(answers),
        failed=load.failed,
        failures=load.failures,
        played=len(load.played),
        opened=opened,
        cpu_us={name: seconds / max(1, len(answers)) * 1e6 for name, seconds in cpu.items()},
        others=max(0.0, machine - sum(cpu.values())) / (end - start),
    )


def percentiles(seconds: list[float]) -> list[float]:
    """Return p50 and p99 in ms."""
    if not seconds:
        return [0.0, 0.0]
    ordered = sorted(seconds)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 for part in (0.5, 0.99)]


if __name__ == "__main__":
    main()

"""One soak: users are made at a steady pace while every endpoint's secret is rotated again and again."""

import asyncio
import contextlib
import itertools
import math
import random
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.soak.subscribers import Post, Rotation, Subscriber
from tests.soak.verifiers import NODE, PYTHON, Node
from tests.support.receiver import receiving

_TICK_SECONDS: Final = 0.02
_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Options:
    """How much; `refusing` is the share of first attempts that receivers refuse, once verified."""

    deliveries: int
    rotations: int
    rotation: Rotation
    endpoints: int = 4
    refusing: float = 0.0
    patience_seconds: float = 60.0


@dataclass(slots=True)
class Result:
    """What a soak saw."""

    endpoints: int
    verifiers: tuple[str, ...]
    users: int = 0
    requests: int = 0
    refused: int = 0
    rotations: int = 0
    seconds: float = 0.0
    checks: Counter[str] = field(default_factory=Counter)
    forged: Counter[str] = field(default_factory=Counter)
    signatures: Counter[int] = field(default_factory=Counter)
    missing: int = 0

    def breaches(self) -> list[str]:
        """List everything that must not be."""
        counts = {name: self.checks[name] for name in self.verifiers}
        found = [f"{name} accepted {count:,} of {self.requests:,}" for name, count in counts.items() if count != self.requests]
        found += [f"{name} accepted {count:,} that were forged" for name, count in self.forged.items() if count]
        return found + ([f"{self.missing:,} deliveries never arrived"] if self.missing else [])


async def run(post: Post, options: Options, *, node: Node | None) -> Result:
    """Soak the marketplace behind `post`, in which there are no other endpoints; without `node` in Python only."""
    async with contextlib.AsyncExitStack() as stack:
        dice = random.Random(20)
        subscribers = [
            Subscriber(
                await stack.enter_async_context(receiving()),
                makes_secrets=number % 2 == 0 or not options.rotation.stage_seconds,
                node=node,
                dice=random.Random(dice.getrandbits(64)),
                refusing=options.refusing,
            )
            for number in range(options.endpoints)
        ]
        for subscriber in subscribers:
            await subscriber.register(post)
        began = time.monotonic()
        load = Load(post, options)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(subscribers))
            for subscriber in subscribers:
                group.create_task(_rotate(subscriber, load))
        users = load.users
        missing = await _missing(subscribers, users, options.patience_seconds)
        names = PYTHON if node is None else PYTHON + NODE
        result = Result(len(subscribers), names, users=len(users), missing=missing, seconds=time.monotonic() - began)
        return _counted(result, subscribers)


@dataclass(slots=True)
class Load:
    """Makes users at a steady pace."""

    post: Post
    options: Options
    users: set[str] = field(default_factory=set)

    @property
    def wanted(self) -> int:
        """So many users at least."""
        return math.ceil(self.options.deliveries / self.options.endpoints)

    async def run(self, subscribers: Sequence[Subscriber]) -> None:
        """Make users until there are enough of them and of rotations."""
        options, began = self.options, time.monotonic()
        seconds = options.rotations * (options.rotation.stage_seconds + options.rotation.overlap_seconds)
        names = (f"soak-{secrets.token_hex(8)}" for _ in itertools.count())
        while len(self.users) < self.wanted or min(it.rotations for it in subscribers) < options.rotations:
            due = math.ceil(self.wanted * (time.monotonic() - began) / seconds) - len(self.users)
            makers = (self._make(name) for name in itertools.islice(names, min(max(due, 1), _AT_ONCE)))
            await asyncio.gather(asyncio.sleep(_TICK_SECONDS), *makers)

    async def _make(self, name: str) -> None:
        self.users.add((await self.post("/users", {"external_user_id": name}))["id"])


async def _rotate(subscriber: Subscriber, load: Load) -> None:
    """Rotate as often as is wanted, and on while users are made."""
    while subscriber.rotations < load.options.rotations or len(load.users) < load.wanted:
        await subscriber.rotate(load.post, load.options.rotation)


async def _missing(subscribers: list[Subscriber], users: set[str], seconds: float) -> int:
    """Wait for what is under way; return how many deliveries had not come by then."""
    deadline = time.monotonic() + seconds
    while (missing := sum(len(users - subscriber.users) for subscriber in subscribers)) and time.monotonic() < deadline:
        await asyncio.sleep(_TICK_SECONDS)
    return missing


def _counted(result: Result, subscribers: list[Subscriber]) -> Result:
    for subscriber in subscribers:
        result.requests += subscriber.signatures.total()
        result.refused += subscriber.refused
        result.rotations += subscriber.rotations
        result.checks += subscriber.checks
        result.forged += subscriber.forged
        result.signatures += subscriber.signatures
    return result

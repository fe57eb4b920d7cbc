"""Whether what the gateway leans on answers: asked at most once a second, however often anybody wants to know."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

import msgspec
import structlog

PROBE_SECONDS: Final = 1.0
"""How long a probe may take, and how long its result is new."""
STALE_SECONDS: Final = 3.0
"""Until then the last result is good enough for whoever does not want to wait for the next."""
_log = structlog.get_logger("offerhub.health")

Probe = Callable[[], Awaitable[object]]
"""Returns when its dependency has answered; raises, or takes too long, when it has not."""


class Dependency(msgspec.Struct, frozen=True):
    """How one dependency answered; `latency_ms` is there when it did. `disabled`: this deployment has none."""

    status: Literal["ok", "unreachable", "disabled"]
    latency_ms: float | None = None


DISABLED: Final = Dependency("disabled")
Checks = Mapping[str, Dependency]


class Prober:
    """Runs probes side by side and remembers what they said."""

    def __init__(self, probes: Mapping[str, Probe | None]) -> None:
        """Ask these; what is None is disabled."""
        self._probes = probes
        self._checks: Checks = {}
        self._checked_at = 0.0
        self._round: asyncio.Task[None] | None = None

    async def look(self) -> Checks:
        """Return the last results: at once when they are fresh enough, else as soon as the round under way has ended."""
        now = asyncio.get_running_loop().time()
        if self._round is None and (not self._checks or now >= self._checked_at + PROBE_SECONDS):
            self._round = asyncio.create_task(self._ask_all())
        if self._round is not None and (not self._checks or now >= self._checked_at + STALE_SECONDS):
            await asyncio.shield(self._round)
        return self._checks

    async def stop(self) -> None:
        """End the round under way."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])

    async def _ask_all(self) -> None:
        try:
            answers = await asyncio.gather(*(self._ask(name, probe) for name, probe in self._probes.items()))
            self._checks = dict(zip(self._probes, answers, strict=True))
            self._checked_at = asyncio.get_running_loop().time()
        finally:
            self._round = None

    async def _ask(self, name: str, probe: Probe | None) -> Dependency:
        if probe is None:
            return DISABLED
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await probe()
        except Exception as error:  # noqa: BLE001 - the edge: whatever a dependency does, it does not answer
            _log.warning("health.unreachable", dependency=name, error=repr(error))
            return Dependency("unreachable")
        return Dependency("ok", round((loop.time() - started) * 1000, 1))

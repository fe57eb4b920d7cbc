"""The broker goes away and comes back: what writers are told meanwhile, what it costs, and how soon everything works again."""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import psutil

from deploy.local.processes import end, spawn
from deploy.local.stack import Stack
from tests.support.stacks import pids

ANSWER_SECONDS: Final = 2.0
GROWTH_MB: Final = 20.0
BACK_SECONDS: Final = 5.0
_WARM_SECONDS: Final = 1.5
_GIVE_UP_SECONDS: Final = 30.0
_SAMPLE_SECONDS: Final = 0.2
_UNAVAILABLE: Final = 503
_CREATED: Final = 201


@dataclass
class Outage:
    """What was seen. Times in seconds."""

    clients: int
    seconds: float
    first_seconds: float = 0.0
    """Until the first write after the broker's end was answered."""
    slowest_seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    growth_mb: float = 0.0
    """The gateway's highest RSS while the broker was away, above what it had with the same clients before."""
    back_seconds: float = 0.0
    """From the broker's process being started until a write was accepted."""
    restarted: list[str] = field(default_factory=list)

    def breaches(self) -> list[str]:
        """List what must not be."""
        found = {
            f"the first write was answered after {self.first_seconds:.2f} s": self.first_seconds > ANSWER_SECONDS,
            f"a write was answered after {self.slowest_seconds:.2f} s": self.slowest_seconds > ANSWER_SECONDS,
            f"answers while the broker was away: {dict(self.answers)}": set(self.answers) != {"503 with Retry-After"},
            f"the gateway grew by {self.growth_mb:.1f} MB": self.growth_mb > GROWTH_MB,
            f"a write was accepted {self.back_seconds:.2f} s after the broker's return": self.back_seconds > BACK_SECONDS,
            f"processes were restarted: {self.restarted}": bool(self.restarted),
        }
        return [text for text, is_breach in found.items() if is_breach]


@dataclass
class _Writer:
    """Makes orders between two people."""

    session: aiohttp.ClientSession
    api_url: str
    headers: dict[str, str]
    order: dict[str, str] = field(default_factory=dict)

    async def make_people(self) -> None:
        ids = []
        for _ in range(2):
            status, _, body = await self._post("/users", {"external_user_id": secrets.token_hex(8)}, secrets.token_hex(8))
            assert status == _CREATED, body
            ids.append(body["data"]["id"])
        self.order = {"buyer_id": ids[0], "seller_id": ids[1], "amount": "10.00", "currency": "USD", "title": "A thing"}

    async def write(self, key: str) -> tuple[int, bool]:
        """Return the status, and whether a Retry-After came with it."""
        status, retry_after, _ = await self._post("/orders", self.order, key)
        return status, retry_after

    async def _post(self, path: str, body: dict[str, str], key: str) -> tuple[int, bool, Any]:
        headers = self.headers | {"Idempotency-Key": key}
        async with self.session.post(f"{self.api_url}{path}", json=body, headers=headers) as response:
            return response.status, "Retry-After" in response.headers, await response.json()


async def suffer(stack: Stack, *, clients: int, seconds: float) -> Outage:
    """Take a stack's embedded broker away for some seconds under load and bring it back; the stack must not be supervised."""
    seen = Outage(clients, seconds)
    headers = {"Authorization": f"Bearer {stack.shell['OFFERHUB_API_KEY']}"}
    timeout = aiohttp.ClientTimeout(total=_GIVE_UP_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        writer = _Writer(session, stack.api_url, headers)
        await writer.make_people()
        await _load(writer, Outage(clients, _WARM_SECONDS))
        before, gateway = pids(stack), psutil.Process(stack.processes["gateway-1"].identity.pid)
        resident = gateway.memory_info().rss
        broker = stack.processes["broker"]
        await end(broker.identity, stop_signal=broker.command.stop_signal, deadline_seconds=_GIVE_UP_SECONDS)
        began = time.monotonic()
        await writer.write(secrets.token_hex(8))
        seen.first_seconds = time.monotonic() - began
        peak, _ = await asyncio.gather(_highest(gateway, seconds=seconds), _load(writer, seen))
        seen.growth_mb = (peak - resident) / 1e6
        broker.popen.wait()
        stack.processes["broker"] = spawn(broker.command)
        seen.back_seconds = await _accepted_again(writer)
        seen.restarted = [name for name, pid in pids(stack).items() if name != "broker" and pid != before[name]]
    return seen


async def _load(writer: _Writer, seen: Outage) -> None:
    """Write from all clients at once, each as soon as it has its answer, and take down what they are told."""
    until = time.monotonic() + seen.seconds

    async def client() -> None:
        while (began := time.monotonic()) < until:
            status, retry_after = await writer.write(secrets.token_hex(8))
            seen.slowest_seconds = max(seen.slowest_seconds, time.monotonic() - began)
            seen.answers[f"{status}{' with Retry-After' if retry_after else ''}"] += 1

    await asyncio.gather(*(client() for _ in range(seen.clients)))


async def _highest(process: psutil.Process, *, seconds: float) -> int:
    """Return the highest RSS of a while, in bytes."""
    until, peak = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(_SAMPLE_SECONDS)
    return max(peak, process.memory_info().rss)


async def _accepted_again(writer: _Writer) -> float:
    """Repeat one write under its key until it is accepted; return how long that took."""
    began, key = time.monotonic(), secrets.token_hex(8)
    while (await writer.write(key))[0] != _CREATED:
        assert time.monotonic() < began + _GIVE_UP_SECONDS, "no write was accepted after the broker's return"
        await asyncio.sleep(_SAMPLE_SECONDS / 4)
    return time.monotonic() - began

"""What is measured of deliveries: how many, how soon, and how little others' troubles matter."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from libs.common.kernel.ids import Tenant
from tests.bench_webhooks.field import FRAME, Field, tenant, until

RATE: Final = 200
"""Events a second where it is not the rate that is asked for."""
HEALTHY: Final = 40
HANGING: Final = 10
_SETTLE_SECONDS: Final = 180.0
_AHEAD: Final = 3_000
"""Events on their way at once while throughput is measured."""
ROUNDS: Final = 3
"""Of what is measured by its slowest hundredth: the middle one counts, so that one stall of the machine does not."""
DUMP_RATE: Final = 2_000
"""Events a second of a tenant that dumps them: what the gateway of this machine takes in at most (`make bench`, POST /orders)."""
_FAILING: Final = """
INSERT INTO webhooks.lanes (tenant, endpoint_id, failures, probes, parked_until, failing_since)
VALUES ($1, $2, 40, 7, now() + interval '2 seconds', now() - interval '6 hours')
"""


@dataclass(frozen=True)
class Size:
    """How much of each; the full one is what the targets speak of."""

    seconds: float = 60.0
    calm_seconds: float = 20.0
    queued: int = 5_000
    """For each endpoint that hangs."""
    dumped: int = 100_000
    parked: int = 20_000


@dataclass(frozen=True)
class Row:
    """One figure; `most` and `least` are its target."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is what it should be."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


def quantile(values: Sequence[float], share: float) -> float:
    """Take a quantile of sorted values."""
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


async def throughput(place: Field, size: Size) -> list[Row]:
    """Durable deliveries a second with as many events on the way as it takes, one delivery an event."""
    shops = [tenant() for _ in range(8)]
    for shop in shops:
        await place.endpoint(shop, "/ok")
    await place.told()
    published, cpu, began = 0, place.cpu_seconds(), time.monotonic()
    while time.monotonic() - began < size.seconds:
        if published - await place.count() < _AHEAD:
            await asyncio.gather(*(place.happen(shop, 100) for shop in shops))
            published += 100 * len(shops)
        else:
            await asyncio.sleep(0.02)
    arrived, spent, used = await place.count(), time.monotonic() - began, place.cpu_seconds() - cpu
    await _all(place, published)
    return [
        Row("durable deliveries a second, sustained", arrived / spent, "/s", least=1_500),
        Row("deliveries a CPU second of the webhooks process", arrived / used, "/s"),
        Row("memory of the webhooks process after it", place.rss_mb(), "MB"),
    ]


async def latency(place: Field, size: Size) -> list[Row]:
    """From the instant an event is logged with, before its commit, to its arrival."""
    shops = await _healthy(place, 1)
    rounds = [await _steady(place, shops, size) for _ in range(ROUNDS)]
    return [
        Row(f"commit to receiver at {RATE}/s, p50", statistics.median(quantile(delays, 0.5) for delays in rounds), "ms"),
        Row(f"commit to receiver at {RATE}/s, p99", _slowest(rounds), "ms", most=20),
    ]


async def isolation(place: Field, size: Size) -> list[Row]:
    """Healthy endpoints without and with neighbours that hang, each with a backlog."""
    shops = await _healthy(place, HEALTHY)
    calm = _slowest([await _steady(place, shops, size) for _ in range(ROUNDS)])
    for number in range(HANGING):
        shop = tenant()
        hanging = await place.endpoint(shop, f"/hang/{number}")
        await _is_logged(place, shop)
        await place.queue(shop, hanging, size.queued)
    crowded = _slowest([await _steady(place, shops, size) for _ in range(ROUNDS)])
    await place.owner.execute("UPDATE webhooks.endpoints SET active = false WHERE url LIKE '%/hang/%'")
    return _ratio(f"{HEALTHY} healthy endpoints beside {HANGING} that hang with {size.queued:,} queued each", calm, crowded)


async def dump(place: Field, size: Size) -> list[Row]:
    """Other tenants while one of them dumps its events."""
    shops = await _healthy(place, HEALTHY)
    calm = _slowest([await _steady(place, shops, size) for _ in range(ROUNDS)])
    noisy = tenant()
    await place.endpoint(noisy, "/ok/noisy")
    began = time.monotonic()
    dumping = asyncio.ensure_future(_dump(place, noisy, size.dumped))
    rounds = [await _steady(place, shops, size)]
    while not dumping.done():
        rounds.append(await _steady(place, shops, size))
    await dumping
    await _is_logged(place, noisy, size.dumped)
    took = time.monotonic() - began
    return [
        *_ratio(f"others while one tenant dumps {size.dumped:,} events at {DUMP_RATE:,}/s", calm, _slowest(rounds)),
        Row("the dump itself, from its first event until its last is logged", took, "s"),
    ]


async def endless(place: Field, size: Size) -> list[Row]:
    """What the process holds while receivers answer without an end."""
    shops = [tenant() for _ in range(20)]
    for shop in shops:
        await place.endpoint(shop, "/endless")
        await place.happen(shop, 20)
    most, ends = 0.0, time.monotonic() + size.calm_seconds
    while time.monotonic() < ends:
        most = max(most, place.rss_mb())
        await asyncio.sleep(0.2)
    await place.owner.execute("UPDATE webhooks.endpoints SET active = false WHERE url LIKE '%/endless'")
    return [Row("memory with receivers that answer endlessly, at most", most, "MB", most=150)]


async def outage(place: Field, size: Size) -> list[Row]:
    """An endpoint that failed for six hours is well again, and its backlog arrives by itself."""
    shop = tenant()
    made = await place.endpoint(shop, "/ok")
    await _is_logged(place, shop)
    await place.owner.execute(_FAILING, shop, made)
    await place.queue(shop, made, size.parked)
    began = time.monotonic()
    await _all(place, size.parked)
    return [
        Row(f"of {size.parked:,} parked for 6 h, arrived by themselves", await place.count(), "", least=size.parked),
        Row("within, from when they were parked to the last", time.monotonic() - began, "s"),
    ]


SCENARIOS: Final[tuple[Callable[[Field, Size], Awaitable[list[Row]]], ...]] = (
    latency,
    isolation,
    endless,
    throughput,
    dump,
    outage,
)


async def _healthy(place: Field, count: int) -> list[Tenant]:
    shops = [tenant() for _ in range(count)]
    for shop in shops:
        await place.endpoint(shop, "/ok")
    await _steady(place, shops, Size(calm_seconds=3.0))
    return shops


async def _steady(place: Field, shops: Sequence[Tenant], size: Size) -> list[float]:
    """Let events happen at the rate, taking turns, and return how long each took to arrive."""
    await place.told()
    began, count = time.monotonic(), int(size.calm_seconds * RATE)
    pending = set()
    for number in range(count):
        await until(began + number / RATE)
        pending.add(asyncio.ensure_future(place.happen(shops[number % len(shops)], 1)))
    await asyncio.gather(*pending)
    await _all(place, count)
    return await place.delays_ms(shops)


async def _all(place: Field, count: int) -> None:
    ends = time.monotonic() + _SETTLE_SECONDS
    while await place.count() < count and time.monotonic() < ends:
        await asyncio.sleep(0.1)


async def _is_logged(place: Field, shop: Tenant, count: int = 1) -> None:
    while (await place.owner.fetchval("SELECT position FROM webhooks.log_heads WHERE tenant = $1", shop) or 0) < count:
        await asyncio.sleep(0.05)


async def _dump(place: Field, noisy: Tenant, count: int) -> None:
    began = time.monotonic()
    for done in range(0, count, FRAME):
        await until(began + done / DUMP_RATE)
        await place.happen(noisy, FRAME)


def _slowest(rounds: Sequence[Sequence[float]]) -> float:
    """Return the p99 of the middle round, in ms."""
    return statistics.median(quantile(delays, 0.99) for delays in rounds)


def _ratio(name: str, calm: float, crowded: float) -> list[Row]:
    return [
        Row(f"{name}: p99 without", calm, "ms"),
        Row(f"{name}: p99 with", crowded, "ms"),
        Row(f"{name}: ratio", crowded / calm, "times", most=1.5),
    ]

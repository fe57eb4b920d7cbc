"""What is measured and what is asked of it."""

from typing import Final

import msgspec

CONNECTIONS: Final = (1, 16, 64)
HEADLINE: Final = 64
CROWD: Final = 128
"""Connections at which one gateway process and two are compared."""
CROWDED: Final = {"get balance": "GET /users/{id}/balance", "get me": "GET /me"}
"""What they are asked then. A second gateway must raise the last, which is a gateway's own work alone; the first keeps the
ledger, the broker and the generator busy too, and on two cores they leave little for a second gateway to use."""
SCENARIOS: Final = {
    "create order": "POST /orders",
    "reserve": "POST /orders/{id}/reserve",
    "get balance": "GET /users/{id}/balance",
    "create and reserve": "create + reserve",
    "lifecycle": "lifecycle: create, reserve, escrow, fund, release",
}
PER_SECOND: Final = {"create order": 1_500, "reserve": 900, "get balance": 4_500, "create and reserve": 400, "lifecycle": 120}
"""At 64 connections, on 2 cores, generator included."""
P99_MS: Final = 100.0
"""Of single requests at 64 connections."""
SINGLE: Final = ("create order", "reserve", "get balance")
"""The scenarios of one request."""
ALONE_P50_MS: Final = 8.0
"""POST /orders at one connection."""
JOURNALS_PER_SECOND: Final = 10_000
HOT_SHARE: Final = 0.8
"""A hot account's part of that."""
IDLE_MB: Final = 450
OTHERS_CORES: Final = 0.25
"""Above this the machine was too busy to accept a run or to blame a fall on the code."""
FALL: Final = 0.15
"""A ratio that falls by more than this against the baseline is a regression: see docs/benchmarks.md on noise."""


class Figure(msgspec.Struct, frozen=True):
    """The median of the rounds of one scenario at one number of connections."""

    scenario: str
    connections: int
    per_second: float
    lowest: float
    highest: float
    p50_ms: float
    p99_ms: float
    ratio: float
    """To the calibration of the same minute."""
    cpu_us: dict[str, float]
    """CPU per answer by process."""
    others: float
    """Cores that strangers kept busy in the most disturbed of the rounds."""


class Results(msgspec.Struct):
    """One whole run."""

    calibrations: dict[str, float]
    """Echoes per second measured right before each scenario, by its name."""
    figures: list[Figure]
    journals_spread: list[float]
    journals_hot: list[float]
    journals_cpu_us: float
    idle_rss_mb: dict[str, float]
    idle_pss_mb: dict[str, float]
    log_lag_seconds: float
    """From the end of the last lifecycle's load until its last event was logged."""
    events_logged: int
    crowd: dict[str, dict[int, float]]
    """Answers per second at 128 connections, by what is asked and by the number of gateway processes."""
    machine: dict[str, str]

    def figure(self, scenario: str, connections: int = HEADLINE) -> Figure:
        """Find one figure."""
        return next(it for it in self.figures if (it.scenario, it.connections) == (scenario, connections))

    def headlines(self) -> dict[str, float]:
        """Name the ratios that a later run is compared with."""
        found = {name: self.figure(name).ratio for name in SCENARIOS}
        calibration = self.calibrations["journals"]
        return found | {"journals, spread": median(self.journals_spread) / calibration, "journals, hot": self.hot / calibration}

    @property
    def others(self) -> float:
        """Cores that strangers kept busy, on average over the scenarios."""
        return sum(it.others for it in self.figures) / len(self.figures)

    @property
    def spread(self) -> float:
        """Journals per second over many accounts."""
        return median(self.journals_spread)

    @property
    def hot(self) -> float:
        """Journals per second on one account."""
        return median(self.journals_hot)


def median(values: list[float]) -> float:
    """Return the middle one, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2]


def missed(results: Results) -> list[str]:
    """Name the targets that were not met."""
    found = [
        f"{SCENARIOS[name]}: {results.figure(name).per_second:,.0f}/s, the target is {target:,}/s"
        for name, target in PER_SECOND.items()
        if results.figure(name).per_second < target
    ]
    found += [
        f"{SCENARIOS[name]}: p99 {results.figure(name).p99_ms:.0f} ms, the target is {P99_MS:g} ms"
        for name in SINGLE
        if results.figure(name).p99_ms > P99_MS
    ]
    one, two = results.crowd["get me"][1], results.crowd["get me"][2]
    if two <= one:
        found.append(f"a second gateway: {two:,.0f}/s at {CROWD} connections, one alone {one:,.0f}/s")
    alone = results.figure("create order", 1).p50_ms
    if alone > ALONE_P50_MS:
        found.append(f"POST /orders alone: p50 {alone:.1f} ms, the target is {ALONE_P50_MS:g} ms")
    if results.spread < JOURNALS_PER_SECOND:
        found.append(f"journals: {results.spread:,.0f}/s, the target is {JOURNALS_PER_SECOND:,}/s")
    if results.hot < HOT_SHARE * JOURNALS_PER_SECOND:
        found.append(f"journals on a hot account: {results.hot:,.0f}/s, the target is {HOT_SHARE * JOURNALS_PER_SECOND:,.0f}/s")
    idle = sum(results.idle_rss_mb.values())
    if idle > IDLE_MB:
        found.append(f"idle memory: {idle:.0f} MB, the target is {IDLE_MB} MB")
    return found

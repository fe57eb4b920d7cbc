"""The ratios of the last accepted run, and what has fallen since."""

from pathlib import Path
from typing import Final

import msgspec

from tests.bench.figures import FALL, Results

PATH: Final = Path(__file__).with_name("baseline.json")


class Baseline(msgspec.Struct, frozen=True):
    """What was measured at a commit: figures for people, ratios to compare."""

    commit: str
    figures: dict[str, float]
    ratios: dict[str, float]


def read() -> Baseline | None:
    """Return the accepted run, if there is one."""
    return msgspec.json.decode(PATH.read_bytes(), type=Baseline) if PATH.exists() else None


def accept(results: Results) -> None:
    """Make this run the one that later ones are compared with."""
    ratios = results.headlines()
    figures = {name: results.figure(name).per_second for name in results.calibrations if name != "journals"}
    figures |= {"journals, spread": results.spread, "journals, hot": results.hot}
    figures |= {f"calibration: {name}": value for name, value in results.calibrations.items()}
    kept = Baseline(
        results.machine["commit"],
        {name: round(value) for name, value in figures.items()},
        {name: round(value, 4) for name, value in ratios.items()},
    )
    PATH.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")


def fallen(results: Results, before: Baseline) -> list[str]:
    """Name the ratios that fell by more than the allowance."""
    now = results.headlines()
    return [
        f"{name}: its ratio to the calibration fell from {ratio:.3f} ({before.commit}) to {now[name]:.3f}"
        for name, ratio in before.ratios.items()
        if name in now and now[name] < ratio * (1 - FALL)
    ]

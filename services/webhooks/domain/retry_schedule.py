"""When a failed delivery is tried again."""

from collections.abc import Sequence
from typing import Final

WAITS_SECONDS: Final = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""The wait after each failed attempt: the first goes out at once, the twelfth and last about 76 hours later."""
JITTER: Final = 0.2
"""Share of a wait by which it may be shorter or longer, so that what failed together does not come back together."""


def wait_after(attempts: int, *, waits: Sequence[float], spread: float) -> float | None:
    """Return the seconds to wait after that many failed attempts, or None when they were all; `spread` is in -1 … 1."""
    if attempts > len(waits):
        return None
    return waits[attempts - 1] * (1.0 + JITTER * spread)

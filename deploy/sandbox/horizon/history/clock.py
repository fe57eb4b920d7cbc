"""The chain's time: the machine's, moved by an offset; or its own, which only ledgers move."""

import time
from typing import Protocol

from deploy.sandbox.horizon.history.store import Store

_OFFSET = "clock_offset"


class Clock(Protocol):
    """Whatever tells the chain the time."""

    def now(self) -> int:
        """Return Unix seconds."""
        ...

    def advance(self, seconds: int) -> None:
        """Move on, and stay moved after a restart; 0 keeps what it is."""
        ...

    def tick(self) -> None:
        """Note that a ledger is about to close."""
        ...


class RealClock:
    """The machine's time and an offset that is kept."""

    def __init__(self, store: Store) -> None:
        """Go on with the offset of before."""
        self._store = store
        self._offset = int(store.fact(_OFFSET) or 0)

    def now(self) -> int:
        """Return Unix seconds."""
        return int(time.time()) + self._offset  # noqa: TID251 - the one place that tells this chain the time

    def advance(self, seconds: int) -> None:
        """Move on."""
        self._offset += seconds
        self._store.note(_OFFSET, str(self._offset))

    def tick(self) -> None:
        """Ledgers do not move it."""


class VirtualClock:
    """Time that stands still between ledgers, so that equal submissions make equal ledgers."""

    def __init__(self, now: int, step: int) -> None:
        """Begin at the latest ledger's close, or wherever the chain begins."""
        self._now = now
        self._step = step

    def now(self) -> int:
        """Return Unix seconds."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Move on; the next ledger keeps it."""
        self._now += seconds

    def tick(self) -> None:
        """Let a ledger take its time."""
        self._now += self._step

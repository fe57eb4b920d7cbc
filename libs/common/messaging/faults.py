"""Named points at which a test kills a process, in-process or for real; in production they cost one dictionary look-up."""

import os
import signal
from collections.abc import Callable
from typing import Final

POINTS: Final = (
    "write.before_claim",
    "write.after_claim",
    "write.before_commit",
    "write.after_commit",
    "write.after_publish",
    "write.after_outbox_removed",
    "backlog.set_aside",
    "relay.after_lock",
    "relay.after_publish",
    "intent.resend",
    "delivery.claimed",
    "delivery.sent",
    "delivery.recorded",
    "replay.enqueued",
    "replay.stepped",
    "slot.assigned",
    "envelope.stored",
    "envelope.signed",
    "envelope.kept",
    "envelope.submitted",
    "slot.found",
    "slot.closed",
    "scan.read",
    "scan.before_commit",
    "scan.committed",
    "scan.published",
    "creation.stored",
    "creation.submitted",
    "creation.closed",
    "sweep.stored",
    "sweep.submitted",
    "sweep.closed",
    "request.claimed",
    "request.answered",
    "secrets.moved",
    "keys.rewrapped",
)

_traps: dict[str, Callable[[], None]] = {}


class KilledError(BaseException):
    """The process is to be thought of as dead from here on: nothing may catch this but the test."""


def reach(point: str) -> None:
    """Pass a fault point; does nothing unless a trap is set there."""
    trap = _traps.get(point)
    if trap is not None:
        trap()


def set_trap(point: str, trap: Callable[[], None]) -> None:
    """Run `trap` whenever the point is passed; a trap usually raises KilledError."""
    if point not in POINTS:
        message = f"no fault point {point}"
        raise ValueError(message)
    _traps[point] = trap


def clear_traps() -> None:
    """Remove every trap."""
    _traps.clear()


def arm_from(setting: str) -> None:
    """Arm a real SIGKILL of this process: `write.after_commit:3` dies the third time it passes there."""
    if not setting:
        return
    point, _, count = setting.partition(":")
    left = [int(count or 1)]

    def die() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    set_trap(point, die)

"""What becomes of a delivery after an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from libs.common.kernel.transitions import Transitions
from services.webhooks.domain.retry_schedule import wait_after

_GONE: Final = 410


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    EXHAUSTED = "EXHAUSTED"
    """Every attempt failed, or the receiver said it is gone."""
    CANCELED = "CANCELED"
    """Its endpoint was deleted before it could be delivered."""


class DeliveryAction(StrEnum):
    """What happens to a delivery."""

    ACCEPT = "accept"
    FAIL = "fail"
    GIVE_UP = "give_up"
    CANCEL = "cancel"
    RESEND = "resend"


DELIVERIES: Final = Transitions(
    DeliveryState.PENDING,
    {
        (DeliveryState.PENDING, DeliveryAction.ACCEPT): DeliveryState.DELIVERED,
        (DeliveryState.PENDING, DeliveryAction.FAIL): DeliveryState.PENDING,
        (DeliveryState.PENDING, DeliveryAction.GIVE_UP): DeliveryState.EXHAUSTED,
        (DeliveryState.PENDING, DeliveryAction.CANCEL): DeliveryState.CANCELED,
        **{(state, DeliveryAction.RESEND): DeliveryState.PENDING for state in DeliveryState},
    },
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt led to: `wait_seconds` until the next one while PENDING; `is_gone` deactivates the endpoint."""

    action: DeliveryAction
    wait_seconds: float | None = None
    is_gone: bool = False

    @property
    def state(self) -> DeliveryState:
        """The delivery's state after the attempt."""
        return DELIVERIES.table[DeliveryState.PENDING, self.action]


def judge(status: int | None, *, attempts: int, waits: Sequence[float], spread: float, asked_seconds: float = 0.0) -> Verdict:
    """Judge the attempt with this number; `status` is None when there was no answer, `spread` in -1 … 1 moves the wait.

    A receiver may ask for a longer wait, not for a shorter one.
    """
    if status is not None and 200 <= status < 300:  # noqa: PLR2004 - the success class of HTTP
        return Verdict(DeliveryAction.ACCEPT)
    if status == _GONE:
        return Verdict(DeliveryAction.GIVE_UP, is_gone=True)
    wait = wait_after(attempts, waits=waits, spread=spread)
    if wait is None:
        return Verdict(DeliveryAction.GIVE_UP)
    return Verdict(DeliveryAction.FAIL, wait_seconds=max(wait, asked_seconds))

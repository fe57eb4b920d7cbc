"""A user's second factor: when a code of it is good. The codes themselves only the signer can tell."""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import format_amount

FAILURES_MAX: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)
State = Literal["PENDING", "ACTIVE"]


class Factor(msgspec.Struct, frozen=True, gc=False):
    """PENDING until its first good code. A code of `last_step` or before is not taken again."""

    tenant: str
    user_id: str
    id: str
    wallet_id: str
    state: State
    last_step: int
    failures: int
    """Wrong codes since the last good one."""
    locked_until: datetime | None
    created_at: datetime


def factor_not_found(user_id: str) -> Refusal:
    """Say that the user has none."""
    return Refusal("SECOND_FACTOR_NOT_FOUND", "The user has no second factor", {"user_id": user_id})


def required(factor: Factor | None, threshold: int, code: str | None) -> Refusal | None:
    """Ask for a code where there is none."""
    is_enrolled = factor is not None and factor.state == "ACTIVE"
    if is_enrolled and code is not None:
        return None
    details = {"field": "second_factor_code", "threshold": format_amount(threshold), "enrolled": is_enrolled}
    return Refusal("SECOND_FACTOR_REQUIRED", "This amount needs a code of the user's second factor", details)


def checked(factor: Factor, step: int, now: datetime) -> tuple[Factor, Refusal | None]:
    """Take a code of this step (0: of none) or refuse it; either way the factor remembers."""
    if factor.locked_until is not None and factor.locked_until > now:
        return factor, _invalid("LOCKED", factor.locked_until)
    if step > factor.last_step:
        return msgspec.structs.replace(factor, state="ACTIVE", last_step=step, failures=0, locked_until=None), None
    failures = factor.failures + 1
    is_locked = failures >= FAILURES_MAX
    locked_until = now + LOCKED_FOR if is_locked else None
    after = msgspec.structs.replace(factor, failures=0 if is_locked else failures, locked_until=locked_until)
    return after, _invalid("USED" if step else "WRONG", locked_until)


def _invalid(reason: str, locked_until: datetime | None) -> Refusal:
    until = None if locked_until is None else wire_time(locked_until)
    details = {"field": "second_factor_code", "reason": reason, "locked_until": until}
    return Refusal("SECOND_FACTOR_INVALID", "The code is not good", details)

"""How much may leave, when a second person must agree, and what is unusual. Amounts are stroops, each currency by itself."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

import msgspec

from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import Currency, format_amount
from services.payouts.domain.withdrawals import Withdrawal

Flag = Literal["AMOUNT", "RATE", "DESTINATION"]
UNUSUAL_TIMES: Final = 5
"""How many times a user's largest withdrawal so far is unusual."""
EVERYBODY: Final = ""
"""In the place of a user's id: the whole tenant."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator set; None: no limit."""

    maximum: int | None = None
    user_daily: int | None = None
    daily: int | None = None
    """Of all users of a tenant."""
    second_factor_over: int | None = None
    approval_over: int | None = None
    cool_off: timedelta = timedelta(0)
    """How long a withdrawal to a destination that is new to its user waits."""
    flag_over: int | None = None
    flag_count: int = 10
    """Withdrawals a day."""


class Spent(msgspec.Struct, frozen=True, gc=False):
    """What a user, or everybody, has withdrawn on the last day (UTC) that there was any; `largest` is of all days."""

    tenant: str
    user_id: str
    currency: Currency
    day: date
    amount: int
    count: int
    largest: int


class KnownDestination(msgspec.Struct, frozen=True, gc=False):
    """Where a user has withdrawn to before."""

    tenant: str
    user_id: str
    destination: str
    first_at: datetime


def destination_name(address: str, memo: str | None) -> str:
    """Name a destination: at an exchange the memo is half of it."""
    return address if memo is None else f"{address} {memo}"


def hold_until(limits: Limits, known: KnownDestination | None, now: datetime) -> datetime | None:
    """Tell until when a withdrawal waits because of where it goes; None when it does not."""
    end = (now if known is None else known.first_at) + limits.cool_off
    return end if end > now else None


def spent_today(before: Spent | None, tenant: str, user_id: str, currency: Currency, now: datetime) -> Spent:
    """Begin a new day where the last one is over."""
    today = now.date()
    if before is None:
        return Spent(tenant, user_id, currency, today, 0, 0, 0)
    return before if before.day == today else msgspec.structs.replace(before, day=today, amount=0, count=0)


def spending(spent: Spent, amount: int) -> Spent:
    """Count a withdrawal."""
    largest = max(spent.largest, amount)
    return msgspec.structs.replace(spent, amount=spent.amount + amount, count=spent.count + 1, largest=largest)


def given_back(spent: Spent | None, withdrawal: Withdrawal) -> Spent | None:
    """Do not count a withdrawal that came back; None when nothing changes, because its day is over."""
    if spent is None or spent.day != withdrawal.created_at.date():
        return None
    return msgspec.structs.replace(spent, amount=max(0, spent.amount - withdrawal.amount), count=max(0, spent.count - 1))


def check_limits(limits: Limits, amount: int, own: Spent, all_: Spent | None) -> Refusal | None:
    """Refuse what is more than may leave, by itself or with what left today."""
    for name, maximum, used in (
        ("withdrawal", limits.maximum, 0),
        ("user_daily", limits.user_daily, own.amount),
        ("daily", limits.daily, 0 if all_ is None else all_.amount),
    ):
        if maximum is not None and used + amount > maximum:
            details = {
                "limit": name,
                "maximum": format_amount(maximum),
                "used": format_amount(used),
                "requested": format_amount(amount),
                "currency": own.currency,
            }
            return Refusal("AMOUNT_ABOVE_MAXIMUM", "The amount is above what may be withdrawn", details)
    return None


def flags_of(limits: Limits, amount: int, own: Spent, *, is_new_destination: bool) -> tuple[Flag, ...]:
    """Name what is unusual about a withdrawal; `own` is what its user withdrew before."""
    found: list[Flag] = []
    is_large = limits.flag_over is not None and amount > limits.flag_over
    if is_large and amount > UNUSUAL_TIMES * own.largest:
        found.append("AMOUNT")
    if own.count >= limits.flag_count:
        found.append("RATE")
    if is_large and is_new_destination and own.largest:
        found.append("DESTINATION")
    return tuple(found)

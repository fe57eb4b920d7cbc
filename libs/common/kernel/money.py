"""Money as an integer count of 10⁻⁷ (a stroop, Stellar's smallest unit) with its currency."""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

Currency = Literal["USD", "XLM"]
CURRENCIES: Final[tuple[Currency, ...]] = get_args(Currency)
ALIASES: Final[dict[str, Currency]] = {"USD": "USD", "USDC": "USD", "XLM": "XLM"}
"""What a caller may write, and the currency it is booked as: USDC is USD, one to one."""

DECIMALS: Final = 7
UNIT: Final = 10**DECIMALS
MAX_STROOPS: Final = 2**63 - 1
BASIS_POINTS: Final = 10_000
_SHAPE: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,7}))?", re.ASCII)


class AmountError(ValueError):
    """The text is not an amount we accept; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency, in stroops (10⁻⁷); never negative."""

    stroops: int
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse what no account could hold."""
        if not 0 <= self.stroops <= MAX_STROOPS:
            message = f"{self.stroops} stroops is outside 0 … 2^63-1"
            raise AmountError(message)

    @classmethod
    def parse(cls, text: str, currency: Currency) -> Self:
        """Read a decimal string such as `12.5`; at most 7 decimals, above zero.

        Raises:
            AmountError: sign, exponent, spaces, non-ASCII digits, zero, or too many digits.
        """
        return cls(parse_amount(text), currency)

    def __str__(self) -> str:
        """Print with at least two decimals and no trailing zeros beyond them."""
        return format_amount(self.stroops)


def parse_amount(text: str) -> int:
    """Turn `12.5` into stroops.

    Raises:
        AmountError: the text is not a plain positive decimal with at most 12 whole digits and 7 decimals.
    """
    stroops = parse_share(text)
    if stroops == 0:
        message = "the amount must be above zero"
        raise AmountError(message)
    return stroops


def parse_share(text: str) -> int:
    """Turn a part of a whole into stroops; unlike an amount it may be zero.

    Raises:
        AmountError: the text is not a plain decimal with at most 12 whole digits and 7 decimals.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        message = "write a plain decimal string with at most 7 decimals and no sign, for example 12.50"
        raise AmountError(message)
    whole, fraction = match.groups(default="")
    stroops = int(whole) * UNIT + int(fraction.ljust(DECIMALS, "0") or 0)
    if stroops > MAX_STROOPS:
        message = "the amount is larger than any account can hold"
        raise AmountError(message)
    return stroops


def format_amount(stroops: int) -> str:
    """Print stroops as a decimal string: two decimals at least, no trailing zeros beyond them."""
    whole, fraction = divmod(abs(stroops), UNIT)
    digits = f"{fraction:07d}"
    kept = digits[:2] + digits[2:].rstrip("0")
    return f"{'-' if stroops < 0 else ''}{whole}.{kept}"


def booked_currency(text: str) -> Currency | None:
    """Name the currency the books use for what a caller wrote, or None when we don't keep it."""
    return ALIASES.get(text)


def as_currency(text: str) -> Currency:
    """Narrow a stored currency.

    Raises:
        AmountError: it is none of ours.
    """
    if text not in CURRENCIES:
        message = f"{text} is no currency of the books"
        raise AmountError(message)
    return text


def take_fee(stroops: int, *, basis_points: int) -> tuple[int, int]:
    """Split an amount into (rest, fee); the fee is rounded down, so the odd stroop stays with the rest."""
    fee = stroops * basis_points // BASIS_POINTS
    return stroops - fee, fee

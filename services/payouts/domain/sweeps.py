"""A sweep: what a user's account holds goes to the treasury, in a transaction of the account's own next sequence number.

Whatever is built for it again is built for the same number, so at most one of them is applied. Both accounts are the platform's:
the books know nothing of it, and no user's balance depends on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from libs.common.kernel.money import Currency
from services.payouts.domain.slot_outcomes import SUCCESS, Applied
from services.payouts.domain.slots import BASE_BID, BID_MAX, RAISE
from services.payouts.domain.transactions import NATIVE, Operation, Pay

AT_ONCE: Final = 50
"""So many are under way at a time: each is a transaction of its own."""
LIFE_SECONDS: Final = 60
FOREIGN: Final = "another took its number"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep as it is stored before anything of it is signed. Amounts are stroops."""

    id: str
    account: str
    sequence: int
    usd: int
    xlm: int
    inner_hash: str
    """Of the transaction, which pays no fee."""
    hashes: frozenset[str]
    """Of all that was ever made for its number."""
    envelope: str
    bump_hash: str
    """Of the sponsor's fee bump around it; empty before the account has signed."""
    bump_envelope: str
    bid: int
    """Stroops an operation."""
    max_time: int

    @property
    def amounts(self) -> dict[Currency, int]:
        """What it moves."""
        return {"USD": self.usd, "XLM": self.xlm}


def payments(account: str, treasury: str, dollar: str, *, usd: int, xlm: int) -> tuple[Operation, ...]:
    """Say what a sweep does."""
    amounts = ((dollar, usd), (NATIVE, xlm))
    return tuple(Pay(account, treasury, asset, amount) for asset, amount in amounts if amount)


def is_worth_it(amounts: Iterable[int], over: int) -> bool:
    """Tell whether an account holds so much of anything that it is swept."""
    return any(amount >= over for amount in amounts)


def next_bid(before: int) -> int:
    """Say what to bid for what was not taken in its time."""
    return min(BID_MAX, RAISE * before) if before else BASE_BID


def outcome_of(sweep: Sweep, applied: Applied) -> str:
    """Say how a sweep ended, empty when well."""
    if applied.inner_hash not in sweep.hashes:
        return FOREIGN
    if applied.is_successful:
        return ""
    return next((code for code in applied.codes if code != SUCCESS), "tx_failed")

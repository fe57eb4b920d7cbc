"""An account's balance, replayed from its own transactions.

Where ledgers are not looked through, nothing proves that an account's pages are whole and true. But the chain also says what the
account holds: only when that is what the pages make of it, is nothing missing, doubled or made up. What left counts when the
account's own key signed it, so that nobody can cover an arrival that never was with a departure that never was.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from libs.common.kernel.money import CURRENCIES, Currency
from services.payouts.domain.deposits import Ours
from services.payouts.domain.envelope_xdr import CLAIMABLE, CREATE_ACCOUNT, PAYMENT, has_hash, is_fee_bump, read, signatures
from services.payouts.domain.ledger_chain import Proved, Shown, UnprovedError
from services.payouts.domain.result_xdr import read_result

_LEDGER_BITS: Final = 32
_ORDER_BITS: Final = 12
_QUIETER: Final = 8
_HOUR: Final = timedelta(hours=1)
HasSigned = Callable[[bytes, bytes, Sequence[tuple[bytes, bytes]]], bool]
"""Tells whether an account signed a hash with one of these signatures."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction of an account's pages, read; `is_own` says that the account's own key signed it."""

    ledger: int
    closed_at: int
    read: Proved
    is_own: bool
    is_bumped: bool


def entry(account: bytes, token: int, shown: Shown, closed_at: int, network_id: bytes, has_signed: HasSigned) -> Entry:
    """Read a transaction that stands at a place in the chain's history.

    Raises:
        UnprovedError: the envelope is not that of the hash, or the place is none of a transaction.
        UnreadableXdrError: it is of a kind that this program does not know.
    """
    order = token >> _ORDER_BITS & (1 << _LEDGER_BITS - _ORDER_BITS) - 1
    if token & (1 << _ORDER_BITS) - 1 or not order:
        raise UnprovedError(f"{token} is no transaction's place")
    if not has_hash(shown.envelope, network_id, shown.hash):
        raise UnprovedError(f"the envelope of {shown.hash.hex()} is another one")
    found = Proved(order, shown.hash, read(shown.envelope), read_result(shown.result))
    involved = found.read.kinds and (found.read.payer == account or any(each.source == account for each in found.read.transfers))
    is_own = bool(involved) and has_signed(account, *signatures(shown.envelope, found.read, network_id))
    return Entry(token >> _LEDGER_BITS, closed_at, found, is_own, is_fee_bump(shown.envelope))


def moved(account: bytes, entries: Iterable[Entry], ours: Ours) -> Counter[Currency]:
    """Sum what these transactions brought to an account, less what they took: fees too, but of a fee bump."""
    sums: Counter[Currency] = Counter()
    for each in entries:
        found = each.read
        if each.is_own and found.read.payer == account and not each.is_bumped:
            sums["XLM"] -= found.result.fee
        if not found.result.is_successful:
            continue
        for transfer in found.read.transfers:
            currency = ours.currency(transfer.asset)
            amount = transfer.amount if transfer.amount is not None else found.result.received[transfer.place]
            if currency is None or transfer.kind == CLAIMABLE:
                continue
            if transfer.destination == account:
                sums[currency] += amount
            if transfer.source == account and each.is_own and transfer.kind in (PAYMENT, CREATE_ACCOUNT):
                sums[currency] -= amount
    return sums


def difference(shown: Mapping[Currency, int], replayed: Mapping[Currency, int]) -> str:
    """Say how an account's balance is not what its pages make of it; empty when it is."""
    gaps = {name: shown.get(name, 0) - replayed.get(name, 0) for name in CURRENCIES}
    return ", ".join(f"{gap:+d} stroops of {name}" for name, gap in gaps.items() if gap)


def pause(quiet: timedelta, *, shortest: timedelta, longest: timedelta) -> timedelta:
    """Say when to look at an account again that was quiet for so long: the longer, the later."""
    return min(longest, max(shortest, quiet / _QUIETER))


@dataclass(slots=True)
class Budget:
    """So many requests an hour, a hundredth of them at once. It may be overdrawn: then it is waited for.

    Instants are counted from anywhere, by a clock that never goes back.
    """

    per_hour: int
    earned_at: timedelta = timedelta()
    """When what was spent has been earned."""

    def has_any(self, now: timedelta) -> bool:
        """Tell whether a request may be made."""
        self.earned_at = max(self.earned_at, now - _HOUR / 100)
        return self.earned_at <= now

    def spend(self) -> None:
        """Count a request."""
        self.earned_at += _HOUR / self.per_hour

"""What goes into a slot's transactions, and what is known of one that was made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, in stroops."""

    address: str
    amount: int
    memo_type: str | None = None
    memo: str | None = None
    source: str | None = None
    """The account that pays; the treasury when there is none."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Until when a transaction is good: by ledger and by the network's clock."""

    max_ledger: int
    max_time: int


@dataclass(frozen=True, slots=True)
class Built:
    """An envelope without signatures of its own, in base 64, its hash, and the most that it may cost in stroops."""

    hash: str
    xdr: str
    fee: int

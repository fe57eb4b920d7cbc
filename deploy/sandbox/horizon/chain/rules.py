"""What holds while one ledger is made, and the arithmetic of balances under it."""

from dataclasses import dataclass
from typing import Final

from deploy.sandbox.horizon.chain.entries import Account
from deploy.sandbox.horizon.chain.values import INT64_MAX

PROTOCOL_VERSION: Final = 23
SUBENTRIES_MAX: Final = 1000
ACCOUNT_RESERVES: Final = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """The ledger a transaction is checked against or applied in.

    `close_time` is in Unix seconds; `latest_close` is when that ledger may close at the latest, which a transaction's
    upper time bound is held against before it is accepted. Fees and reserves are stroops.
    """

    ledger: int
    close_time: int
    latest_close: int
    base_fee: int
    base_reserve: int

    @property
    def first_sequence(self) -> int:
        """The sequence number accounts begin with that are created in this ledger."""
        return self.ledger << 32


def minimum_balance(account: Account, rules: Rules) -> int:
    """Return what an account must keep for itself and for what it sponsors."""
    return (ACCOUNT_RESERVES + account.subentries + account.sponsoring - account.sponsored) * rules.base_reserve


def spendable(account: Account, rules: Rules) -> int:
    """Return what an account may part with; negative when it is below its reserve."""
    return account.balance - minimum_balance(account, rules)


def can_receive(account: Account, amount: int) -> bool:
    """Tell whether an account's lumens stay countable."""
    return account.balance <= INT64_MAX - amount

"""A user's history: the entries of several accounts, merged into one list, newest first.

Within an account entries are numbered by its version, and time agrees with that only nearly: two processes read their clocks
before they wait for the account. So a page says where it ends by a version in each account, and shows nothing twice and leaves
nothing out.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from libs.common.contracts.accounts import address, available, reserved
from libs.common.kernel.money import CURRENCIES, Currency

NEWEST: Final = 2**63 - 1
_PREFIX: Final = "ent_"


class Line(NamedTuple):
    """What an entry says; amounts are stroops (10⁻⁷)."""

    account_id: str
    version: int
    journal_id: str
    amount: int
    balance_after: int
    posted_at: datetime


Positions = dict[str, int]
"""For each account id, the version below which a page goes on."""


def beginning(user_id: str, currency: Currency | None) -> Positions:
    """Say where the history of a user begins, in one currency or all."""
    currencies = CURRENCIES if currency is None else (currency,)
    accounts = [address(account, each) for each in currencies for account in (available(user_id), reserved(user_id))]
    return dict.fromkeys(sorted(accounts), NEWEST)


def write_cursor(positions: Positions) -> str:
    """Write down where the next page goes on."""
    return _PREFIX + "_".join(str(version) for _, version in sorted(positions.items()))


def read_cursor(cursor: str, positions: Positions) -> Positions | None:
    """Read where a page goes on in these accounts; None when the cursor is not one of their list."""
    versions = cursor.removeprefix(_PREFIX).split("_")
    if len(versions) != len(positions) or not all(text.isdecimal() and int(text) <= NEWEST for text in versions):
        return None
    return dict(zip(sorted(positions), map(int, versions), strict=True))


def pinned(positions: Positions, found: Mapping[str, Sequence[Line]]) -> Positions:
    """Hold every position at what has been read, so that what happens before the next page does not get into it."""
    return {
        account_id: min(below, found[account_id][0].version + 1 if found.get(account_id) else 1)
        for account_id, below in positions.items()
    }


def newest_first(accounts: Mapping[str, Sequence[Line]]) -> Iterator[Line]:
    """Merge accounts' entries, each given newest version first: of those at the head, the latest comes next."""
    return heapq.merge(*accounts.values(), key=lambda line: (line.posted_at, line.account_id), reverse=True)


def with_cursors(lines: Iterable[Line], positions: Positions) -> Iterator[tuple[str, Line]]:
    """Pair each line with the cursor of a page that ends with it."""
    reached = dict(positions)
    for line in lines:
        reached[line.account_id] = line.version
        yield write_cursor(reached), line

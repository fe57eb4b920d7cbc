"""The ledger's entries: as they are, as they were, and as they would become."""

import copy
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from deploy.sandbox.horizon.chain.entries import Account, Claimable, Entry

REMEMBERED: Final = 64
"""How many ledgers back a stale reader can be made to look."""


class Reader(Protocol):
    """Whatever a draft is written on top of."""

    promises: Mapping[str, str]

    def peek(self, key: str) -> Entry | None:
        """Return an entry that must not be changed."""
        ...


class Draft:
    """Changes over entries that nobody else sees until they are committed to what is below."""

    def __init__(self, below: Reader) -> None:
        """Begin with no changes. `promises` maps who is being sponsored to who sponsors, inside one transaction."""
        self.changes: dict[str, Entry | None] = {}
        self.promises: Mapping[str, str] = below.promises
        self._below = below

    def peek(self, key: str) -> Entry | None:
        """Return an entry that must not be changed."""
        return self.changes[key] if key in self.changes else self._below.peek(key)

    def peek_account(self, account: str) -> Account | None:
        """Return an account that must not be changed."""
        entry = self.peek(account)
        return entry if isinstance(entry, Account) else None

    def account(self, account: str) -> Account | None:
        """Return a copy of an account to change."""
        if account in self.changes:
            mine = self.changes[account]
        else:
            mine = self._below.peek(account)
            if mine is None:
                return None
            mine = self.changes[account] = copy.copy(mine)
        return mine if isinstance(mine, Account) else None

    def existing(self, account: str) -> Account:
        """Return a copy of an account that is known to be there.

        Raises:
            LookupError: it is not; the books are broken.
        """
        found = self.account(account)
        if found is None:
            raise LookupError(f"account {account} is referred to but does not exist")
        return found

    def claimable(self, balance_id: str) -> Claimable | None:
        """Return a claimable balance to change or drop."""
        entry = self.peek(balance_id)
        return copy.copy(entry) if isinstance(entry, Claimable) else None

    def put(self, entry: Entry) -> None:
        """Add or replace an entry."""
        self.changes[entry.id] = entry

    def drop(self, key: str) -> None:
        """Remove an entry."""
        self.changes[key] = None

    def commit_to(self, below: "Draft") -> None:
        """Make the changes those of the draft this one was begun on."""
        below.changes.update(self.changes)
        below.promises = self.promises


class State:
    """The entries as of the latest ledger, and what they were in the few ledgers before it."""

    def __init__(self, entries: dict[str, Entry], ledger: int) -> None:
        """Take over entries that are as of a ledger."""
        self.promises: Mapping[str, str] = {}
        self.ledger = ledger
        self._entries = entries
        self._before: deque[tuple[int, dict[str, Entry | None]]] = deque(maxlen=REMEMBERED)

    def peek(self, key: str) -> Entry | None:
        """Return an entry that must not be changed."""
        return self._entries.get(key)

    def apply(self, changes: Mapping[str, Entry | None], ledger: int) -> None:
        """Become the next ledger."""
        self._before.append((ledger, {key: self._entries.get(key) for key in changes}))
        for key, entry in changes.items():
            if entry is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = entry
        self.ledger = ledger

    def oldest(self) -> int:
        """Return the oldest ledger that can still be looked at."""
        return self._before[0][0] - 1 if self._before else self.ledger

    def peek_at(self, key: str, ledger: int) -> Entry | None:
        """Return an entry as it was when a ledger had closed; no further back than `oldest`."""
        for closed, before in self._before:
            if closed > ledger and key in before:
                return before[key]
        return self._entries.get(key)

    def entries_at(self, ledger: int) -> Iterator[Entry]:
        """Go through all entries as they were when a ledger had closed, in no order."""
        changed = {key for closed, before in self._before if closed > ledger for key in before}
        for key, entry in self._entries.items():
            if key not in changed:
                yield entry
        for key in changed:
            if (was := self.peek_at(key, ledger)) is not None:
                yield was

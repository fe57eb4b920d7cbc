"""The chain: its entries, its latest header, and the queue of what wants to come next."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from deploy.sandbox.horizon.chain.draft import Draft, State
from deploy.sandbox.horizon.chain.entries import Account, Entry
from deploy.sandbox.horizon.chain.frames import Frame, decode
from deploy.sandbox.horizon.chain.rules import Rules
from deploy.sandbox.horizon.ledger.applying import Applied, apply, take_fee
from deploy.sandbox.horizon.ledger.header import (
    Header,
    chain_entries,
    encode_result_set,
    encode_transaction_set,
    genesis,
    with_skips,
)
from deploy.sandbox.horizon.ledger.queue import Admission, Queue, bid_rate
from deploy.sandbox.horizon.ledger.results import SUCCEEDED
from deploy.sandbox.horizon.ledger.validity import check

_EXPECTED_CLOSES: Final = 2
"""How many closes ahead a transaction's upper time bound must reach to be accepted."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A ledger that is made but not yet kept: nothing of the chain has changed."""

    header: Header
    hash: bytes
    applied: Sequence[Applied]
    invalid: Sequence[Frame]
    changes: dict[str, Entry | None]

    @property
    def sequence(self) -> int:
        """The ledger's number."""
        return self.header.sequence


class Chain:
    """Makes ledgers out of what is submitted. Whoever calls keeps them and tells the time, in Unix seconds."""

    def __init__(self, network_id: bytes, header: Header, entries: dict[str, Entry], *, close_seconds: float) -> None:
        """Go on from a ledger. `close_seconds` is the usual time between two."""
        self.network_id = network_id
        self.header = header
        self.hash = header.hash
        self.state = State(entries, header.sequence)
        self.queue = Queue()
        self.base_fee, self.base_reserve, self.capacity = header.base_fee, header.base_reserve, header.capacity
        self.least_bid = 0
        self._close_seconds = close_seconds

    def read(self, envelope: str) -> Frame:
        """Decode a transaction of this network."""
        return decode(envelope, self.network_id)

    def offer(self, frame: Frame, now: int) -> Admission:
        """Take a transaction into the queue, or say why not."""
        close_time = self.header.close_time
        latest = max(now, close_time) + int(self._close_seconds * _EXPECTED_CLOSES)
        rules = Rules(self.header.sequence + 1, close_time, latest, self.base_fee, self.base_reserve)
        return self.queue.offer(frame, self.state, rules, capacity=self.capacity)

    def close(self, now: int) -> Closed:
        """Make the next ledger out of the queue."""
        close_time = max(now, self.header.close_time)
        rules = Rules(self.header.sequence + 1, close_time, close_time, self.base_fee, self.base_reserve)
        valid, invalid = self._sort_out(rules)
        chosen, base_fee = self._choose(valid)
        transactions = hashlib.sha256(encode_transaction_set(self.hash, chosen, base_fee)).digest()
        ordered = sorted(chosen, key=lambda frame: _mixed(frame.envelope_hash, transactions))
        draft = Draft(self.state)
        fees = [take_fee(frame, draft, base_fee) for frame in ordered]
        applied = [apply(frame, draft, rules, fee) for frame, fee in zip(ordered, fees, strict=True)]
        changes = self._changes(draft, rules.ledger)
        results = encode_result_set([(each.frame.hash, each.result) for each in applied])
        header = replace(
            self.header,
            sequence=rules.ledger,
            previous_hash=self.hash,
            transactions_hash=transactions,
            results_hash=hashlib.sha256(results).digest(),
            entries_hash=chain_entries(self.header.entries_hash, changes),
            close_time=close_time,
            fee_pool=self.header.fee_pool + sum(fees),
            base_fee=self.base_fee,
            base_reserve=self.base_reserve,
            capacity=self.capacity,
        )
        header = with_skips(header)
        return Closed(header, header.hash, applied, invalid, changes)

    def accept(self, closed: Closed) -> None:
        """Make a ledger the latest, once it is kept safely."""
        self.header, self.hash = closed.header, closed.hash
        self.state.apply(closed.changes, closed.sequence)
        self.queue.shift([each.frame for each in closed.applied], closed.invalid)

    def _sort_out(self, rules: Rules) -> tuple[list[Frame], list[Frame]]:
        """Look at everything in the queue again: ledgers have closed since it came in."""
        valid: list[Frame] = []
        invalid: list[Frame] = []
        for frame in self.queue.frames:
            (valid if check(frame, self.state, rules).result.code in SUCCEEDED else invalid).append(frame)
        return valid, invalid

    def _choose(self, frames: Sequence[Frame]) -> tuple[list[Frame], int]:
        """Take the highest bids that fit; if not all do, everyone pays the lowest of those taken."""
        willing = [frame for frame in frames if frame.fee >= self.least_bid * max(1, frame.operation_count)]
        chosen: list[Frame] = []
        room = self.capacity
        for frame in sorted(willing, key=bid_rate, reverse=True):
            if frame.operation_count <= room:
                chosen.append(frame)
                room -= frame.operation_count
        if len(chosen) == len(willing) or not chosen:
            return chosen, max(self.base_fee, self.least_bid)
        return chosen, max(self.base_fee, min(frame.fee // max(1, frame.operation_count) for frame in chosen))

    def _changes(self, draft: Draft, ledger: int) -> dict[str, Entry | None]:
        """Keep what is different from before, and note when it became so."""
        changes = {key: entry for key, entry in draft.changes.items() if entry != self.state.peek(key)}
        for entry in changes.values():
            if entry is not None:
                entry.last_modified = ledger
        return changes


def begin(network_id: bytes, now: int, *, close_seconds: float) -> tuple[Chain, Account]:
    """Begin a new chain; return it with the account that owns everything."""
    header, root = genesis(network_id, now)
    return Chain(network_id, header, {root.id: root}, close_seconds=close_seconds), root


def _mixed(one: bytes, other: bytes) -> bytes:
    """Order transactions of different ledgers differently, so that nobody can choose a place."""
    return bytes(left ^ right for left, right in zip(one, other, strict=True))

"""Transactions that wait for a ledger: who may come in, who makes room for whom, and who has waited too long."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.draft import Draft, Reader
from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.chain.rules import Rules, spendable
from deploy.sandbox.horizon.ledger.results import SUCCEEDED, transaction_result
from deploy.sandbox.horizon.ledger.validity import check, least_fee

REPLACEMENT_FACTOR: Final = 10
AGE_MAX: Final = 4
BANNED_LEDGERS: Final = 10
QUEUED_LEDGERS: Final = 2
"""How many ledgers' worth of operations may wait."""


class Status(Enum):
    """What the network says to a submission."""

    PENDING = "PENDING"
    DUPLICATE = "DUPLICATE"
    TRY_AGAIN_LATER = "TRY_AGAIN_LATER"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a submission; an error has its result."""

    status: Status
    result: xdr.TransactionResult | None = None


@dataclass(slots=True)
class Waiting:
    """A transaction in the queue, and how many ledgers have closed without it."""

    frame: Frame
    age: int = 0
    is_lost: bool = False


def bid_rate(frame: Frame) -> tuple[int, bytes]:
    """Order transactions by what they bid for an operation, ties by hash; the rate is kept whole by scaling."""
    return frame.fee * 1_000 // max(1, frame.operation_count), frame.envelope_hash


class Queue:
    """At most one transaction a source account, as the network has it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._waiting: dict[str, Waiting] = {}
        self._owed: Counter[str] = Counter()
        self._operations = 0
        self._banned: deque[set[bytes]] = deque([set()], maxlen=BANNED_LEDGERS)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def frames(self) -> Sequence[Frame]:
        """Those that may go into a ledger; a lost one never does."""
        return [waiting.frame for waiting in self._waiting.values() if not waiting.is_lost]

    def offer(self, frame: Frame, state: Reader, rules: Rules, *, capacity: int) -> Admission:
        """Take a transaction in, or say why not. `capacity` is how many operations a ledger holds."""
        if any(frame.envelope_hash in banned for banned in self._banned):
            return Admission(Status.TRY_AGAIN_LATER)
        old = self._waiting.get(frame.source.account)
        if old is not None:
            refusal = _compare(frame, old.frame, rules)
            if refusal is not None:
                return refusal
        leaving = [] if old is None else [old.frame]
        crowded_out = self._crowd_out(frame, leaving, capacity * QUEUED_LEDGERS)
        if crowded_out is None:
            self._ban([frame])
            return Admission(Status.TRY_AGAIN_LATER)
        result = check(frame, state, rules)
        if result.result.code not in SUCCEEDED:
            return Admission(Status.ERROR, result)
        if not self._can_pay(frame, leaving, state, rules):
            code = xdr.TransactionResultCode.txINSUFFICIENT_BALANCE
            return Admission(Status.ERROR, transaction_result(code, least_fee(frame, rules)))
        self._remove([*leaving, *crowded_out])
        self._ban(crowded_out)
        self._waiting[frame.source.account] = Waiting(frame)
        self._owed[frame.fee_source.account] += frame.fee
        self._operations += frame.operation_count
        return Admission(Status.PENDING)

    def lose(self, frame: Frame) -> None:
        """Keep a transaction out of every ledger although it was taken, until it is evicted."""
        waiting = self._waiting.get(frame.source.account)
        if waiting is not None and waiting.frame.envelope_hash == frame.envelope_hash:
            waiting.is_lost = True

    def shift(self, applied: Iterable[Frame], invalid: Iterable[Frame]) -> None:
        """Let a ledger pass: what it took leaves, what can't be taken any more is banned, the rest grows older."""
        self._banned.append(set())
        gone = [*applied, *invalid]
        self._ban(gone)
        sequences = {frame.source.account: frame.sequence for frame in gone}
        waiting = self._waiting.items()
        self._remove([each.frame for source, each in waiting if each.frame.sequence <= sequences.get(source, -1)])
        for each in self._waiting.values():
            each.age += 1
        old = [each.frame for each in self._waiting.values() if each.age >= AGE_MAX]
        self._remove(old)
        self._ban(old)

    def _remove(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            del self._waiting[frame.source.account]
            self._owed[frame.fee_source.account] -= frame.fee
            self._operations -= frame.operation_count

    def _ban(self, frames: Iterable[Frame]) -> None:
        self._banned[-1] |= {frame.envelope_hash for frame in frames}

    def _can_pay(self, frame: Frame, leaving: Sequence[Frame], state: Reader, rules: Rules) -> bool:
        """Tell whether the payer's money is enough for this bid and those of its that wait."""
        payer = Draft(state).peek_account(frame.fee_source.account)
        freed = sum(each.fee for each in leaving if each.fee_source.account == frame.fee_source.account)
        owed = self._owed[frame.fee_source.account] - freed + frame.fee
        return payer is not None and spendable(payer, rules) >= owed

    def _crowd_out(self, frame: Frame, leaving: Sequence[Frame], places: int) -> list[Frame] | None:
        """Return who must leave for a transaction to fit, cheapest first; None if it bids no more than they do."""
        taken = self._operations - sum(each.operation_count for each in leaving)
        if taken + frame.operation_count <= places:
            return []
        out: list[Frame] = []
        rivals = [each.frame for each in self._waiting.values() if each.frame not in leaving]
        for each in sorted(rivals, key=bid_rate):
            if bid_rate(each)[0] >= bid_rate(frame)[0]:
                return None
            out.append(each)
            taken -= each.operation_count
            if taken + frame.operation_count <= places:
                return out
        return None


def _compare(frame: Frame, old: Frame, rules: Rules) -> Admission | None:
    """Say what another transaction of the same account means for this one; None if it may take its place."""
    if old.envelope_hash == frame.envelope_hash:
        return Admission(Status.DUPLICATE)
    if old.inner is not None and frame.inner is None and old.inner.envelope_hash == frame.envelope_hash:
        return Admission(Status.DUPLICATE)
    if frame.sequence < old.sequence:
        return Admission(Status.ERROR, transaction_result(xdr.TransactionResultCode.txBAD_SEQ, least_fee(frame, rules)))
    if frame.inner is None or frame.sequence != old.sequence:
        return Admission(Status.TRY_AGAIN_LATER)
    new_units, old_units = max(1, frame.operation_count), max(1, old.operation_count)
    if frame.fee * old_units < REPLACEMENT_FACTOR * old.fee * new_units:
        needed = -(-REPLACEMENT_FACTOR * old.fee * new_units // old_units)
        return Admission(Status.ERROR, transaction_result(xdr.TransactionResultCode.txINSUFFICIENT_FEE, needed))
    return None

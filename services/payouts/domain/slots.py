"""A slot is one sequence number of one channel account, owned for life by a batch of payments.

The network applies at most one transaction for a sequence number. So whatever is rebuilt, bid higher or called off is signed for
the same slot, and the next slot begins when the chain has shown which transaction took this one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

BATCH_MAX: Final = 100
"""Operations that fit into a transaction."""
OWN_MAX: Final = 18
"""Users' own accounts that may pay in one transaction: with the channel and the treasury that makes its twenty signatures."""
BASE_BID: Final = 100
"""Stroops an operation: the network's least."""
FIRST_BID: Final = 2 * BASE_BID
"""Of payments: in a full ledger they go before accounts that are made and swept; in any other the network takes its least."""
BID_MAX: Final = 100_000
"""Stroops an operation that are never exceeded: a hundredth of a lumen."""
RAISE: Final = 10
"""What the network asks of a fee bump that is to take another's place: ten times the bid."""
PATIENCE_LEDGERS: Final = 2
"""So many ledgers may pass without a transaction before more is bid for it."""
LIFE_LEDGERS: Final = 16
LIFE_SECONDS: Final = 90

Kind = Literal["payment", "tombstone"]


class Told(StrEnum):
    """What Horizon said to a submission. None of it is an outcome: that is read from the chain."""

    TAKEN = "TAKEN"
    """PENDING or DUPLICATE: the network has it."""
    LATER = "LATER"
    """TRY_AGAIN_LATER: the network does not have it."""
    LOW_FEE = "LOW_FEE"
    EXPIRED = "EXPIRED"
    LOOK = "LOOK"
    """tx_bad_seq: the slot is taken, or this Horizon lags."""
    POOR = "POOR"
    """The channel can't pay the fee: the sponsor pays it, by a fee bump. If that can't either, a person must look."""
    REFUSED = "REFUSED"
    """Wrong signatures or a malformed envelope: a mistake of ours, a person must look."""
    NOTHING = "NOTHING"
    """A timeout, a reset, an error of the server, garbage: it may have arrived or not."""


@dataclass(frozen=True, slots=True)
class Look:
    """One answer of Horizon about a channel: its sequence number as of a ledger."""

    sequence: int
    ledger: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the database left a channel."""

    channel: str
    next_sequence: int | None
    """The number of its open slot, or of the slot that would be opened; None before the chain was asked."""
    has_slot: bool
    is_quarantined: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """A transaction that was made for a slot, as it is stored."""

    hash: str
    inner_hash: str
    """Its own hash; of a fee bump that of the transaction inside, which is what the chain is searched for."""
    generation: int
    kind: Kind
    places: frozenset[int]
    """The items of the slot that it pays."""
    bid: int
    """Stroops an operation."""
    max_ledger: int
    is_signed: bool = False
    told: Told | None = None
    """What Horizon said last; None before it was submitted."""
    first_ledger: int = 0
    """The latest ledger when it was first submitted."""
    last_ledger: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """What the next move is chosen from."""

    sequence: int
    wanted: frozenset[int]
    """The items that nobody called off."""
    envelopes: tuple[Envelope, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """Make a transaction of the next generation; without places it is a tombstone, which does nothing but take the slot."""

    generation: int
    places: frozenset[int]
    bid: int

    @property
    def kind(self) -> Kind:
        """What it is."""
        return "payment" if self.places else "tombstone"


@dataclass(frozen=True, slots=True)
class Bump:
    """Put a fee bump around a transaction; its inner hash stays."""

    inner_hash: str
    bid: int


@dataclass(frozen=True, slots=True)
class Sign:
    """Have a stored envelope signed."""

    hash: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand a signed envelope to the network; any number of times."""

    hash: str


@dataclass(frozen=True, slots=True)
class Find:
    """The slot is taken: look for the transaction that took it."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before the next ledger."""


Move = Build | Bump | Sign | Submit | Find | Wait


def is_fresh(sequence: int) -> bool:
    """Tell whether an account has used none of its sequence numbers: they begin at the ledger that made it, times 2^32."""
    return sequence % (1 << 32) == 0


def behind_chain(standing: Standing, sequence: int) -> str | None:
    """Tell what the chain knows of a channel and the database does not, given a look from before the database was read."""
    if standing.next_sequence is None:
        return None if is_fresh(sequence) else f"the chain is at {sequence}, and this database knows of none of its transactions"
    known = standing.next_sequence if standing.has_slot else standing.next_sequence - 1
    return None if sequence <= known else f"the chain is at {sequence}, and {standing.next_sequence} is our next"


def next_move(slot: Slot, look: Look, *, bid_max: int) -> Move:
    """Choose what to do about a slot; pure, and safe to choose wrongly on stale news: all moves stay inside the slot."""
    if look.sequence >= slot.sequence:
        return Find()
    newest = _newest(slot)
    if newest is None:
        return Build(1, slot.wanted, FIRST_BID)
    if not newest.is_signed:
        return Sign(newest.hash)
    if newest.places != slot.wanted:
        return Build(newest.generation + 1, slot.wanted, FIRST_BID)
    if look.ledger + 1 >= newest.max_ledger or newest.told == Told.EXPIRED:
        return Build(newest.generation + 1, slot.wanted, min(bid_max, newest.bid))
    return _push(slot, newest, look, bid_max)


def _newest(slot: Slot) -> Envelope | None:
    return max(slot.envelopes, key=lambda each: (each.generation, each.bid, each.hash != each.inner_hash), default=None)


def _push(slot: Slot, newest: Envelope, look: Look, bid_max: int) -> Move:
    rivals = [each.bid for each in slot.envelopes if _may_be_queued(each, newest, look)]
    needed = min(bid_max, RAISE * max(rivals, default=0))
    if newest.bid < needed:  # an earlier generation may be in the queue: only ten times its bid takes its place
        return Bump(newest.inner_hash, needed)
    if newest.told is None:
        return Submit(newest.hash)
    if newest.told == Told.POOR and newest.hash == newest.inner_hash:
        return Bump(newest.inner_hash, newest.bid)
    is_slow = look.ledger - newest.first_ledger >= PATIENCE_LEDGERS
    if (newest.told == Told.LOW_FEE or is_slow) and newest.bid < bid_max and newest.told != Told.POOR:
        return Bump(newest.inner_hash, min(bid_max, RAISE * newest.bid))
    return Submit(newest.hash) if look.ledger > newest.last_ledger else Wait()


def _may_be_queued(other: Envelope, newest: Envelope, look: Look) -> bool:
    is_earlier = other.generation < newest.generation
    return is_earlier and other.told is not None and look.ledger + 1 < other.max_ledger

"""Accounts on the chain, made by the sponsor's transactions: one at a time, each bound to a sequence number of the sponsor.

What is built again when its time has passed is built for the same sequence number, so at most one of them is ever applied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.payouts.domain.signing import SignKind
from services.payouts.domain.slot_outcomes import SUCCESS, Applied
from services.payouts.domain.slots import BASE_BID, BID_MAX, RAISE

WALLETS_MAX: Final = 19
"""So that all of them and the sponsor can sign: a transaction takes twenty signatures."""
LIFE_SECONDS: Final = 60
EXISTS: Final = "op_already_exists"


class ChainState(StrEnum):
    """Where a wallet's account stands."""

    WAITING = "WAITING"
    EXISTS = "EXISTS"
    """Somebody else made it: it lacks the trustline."""
    READY = "READY"


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet whose account is to be made."""

    tenant: str
    id: str
    address: str
    is_there: bool = False


@dataclass(frozen=True, slots=True)
class Creation:
    """A transaction that makes accounts, as it is stored before it is signed."""

    id: str
    source: str
    sequence: int
    wallets: tuple[Wallet, ...]
    own_accounts: tuple[str, ...]
    existing: frozenset[str]
    transaction_hash: str
    hashes: frozenset[str]
    """Of all that was ever made for its sequence number."""
    envelope: str
    fee_max: int
    max_time: int

    @property
    def kind(self) -> SignKind:
        """What the signer knows it as."""
        return "create-wallets" if self.wallets else "set-up"


def fee_of(operations: int, before: int = 0) -> int:
    """Say what to pay for so many operations: the least, or ten times what was not enough before, up to the most."""
    return min(BID_MAX * operations, max(BASE_BID * operations, RAISE * before))


def ended(creation: Creation, applied: Applied) -> list[tuple[Wallet, ChainState]]:
    """Tell where each wallet stands after the transaction that took the sequence number; unchanged ones are left out."""
    if applied.inner_hash not in creation.hashes:
        return []
    if applied.is_successful:
        return [(wallet, ChainState.READY) for wallet in creation.wallets]
    places = _places_of_creating(creation)
    failed = [applied.codes[place] if place is not None and place < len(applied.codes) else SUCCESS for place in places]
    return [(wallet, ChainState.EXISTS) for wallet, code in zip(creation.wallets, failed, strict=True) if code == EXISTS]


def reason_of(applied: Applied) -> str:
    """Name what was wrong: the first code that is not the trouble of one wallet alone, else the first at all."""
    troubles: Sequence[str] = [code for code in applied.codes if code != SUCCESS]
    return next((code for code in troubles if code != EXISTS), troubles[0] if troubles else "tx_failed")


def _places_of_creating(creation: Creation) -> list[int | None]:
    """Find each wallet's CreateAccount: the second of its four operations; one that is there has three, and none."""
    places: list[int | None] = []
    first = 0
    for wallet in creation.wallets:
        places.append(None if wallet.is_there else first + 1)
        first += 3 if wallet.is_there else 4
    return places

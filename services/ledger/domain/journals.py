"""The rules of a journal: it balances by construction, and each posting is one its kind may hold."""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from libs.common.contracts.commands.ledger import PostJournal
from libs.common.kernel.errors import Refusal
from libs.common.kernel.money import MAX_STROOPS
from services.ledger.domain.addresses import Address, read_address
from services.ledger.domain.kinds import MOVES, SAME_OWNER

cached_address = lru_cache(maxsize=65_536)(read_address)


class Leg(NamedTuple):
    """One posting with its addresses taken apart."""

    source: Address
    destination: Address
    amount: int


def legs_of(command: PostJournal) -> list[Leg] | Refusal:
    """Check the postings of a journal against its kind, and take their addresses apart."""
    moves = MOVES[command.kind]
    if not command.postings:
        return _invalid(command, "a journal needs at least one posting")
    legs: list[Leg] = []
    for posting in command.postings:
        source, destination = cached_address(posting.source), cached_address(posting.destination)
        if source is None or destination is None:
            return _invalid(command, f"no such account: {posting.source if source is None else posting.destination}")
        if not 0 < posting.amount <= MAX_STROOPS:
            return _invalid(command, "the amount of a posting must be above zero")
        if (source.purpose, destination.purpose) not in moves:
            return _invalid(command, f"{command.kind} may not move money from {source.purpose} to {destination.purpose}")
        if command.kind in SAME_OWNER and source.owner_id != destination.owner_id:
            return _invalid(command, f"{command.kind} stays inside one user's accounts")
        legs.append(Leg(source, destination, posting.amount))
    return legs


def digest_of(journal_id: str, command: PostJournal) -> bytes:
    """Hash what a journal says, in a form that a verifier can rebuild from its rows (SHA-256)."""
    lines = [f"{posting.source}>{posting.destination}={posting.amount}" for posting in command.postings]
    return hashlib.sha256("\n".join([journal_id, command.kind, command.currency, *lines]).encode()).digest()


def _invalid(command: PostJournal, problem: str) -> Refusal:
    return Refusal("VALIDATION_ERROR", problem, {"kind": command.kind})

"""The rules of a journal: it balances by construction, and each posting is one its kind may hold."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

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


Line = tuple[str, int, int, int]
"""What an entry says: (account id, version, amount, balance after)."""


def digest_of(heading: Sequence[str | None], posted_at: datetime, lines: Iterable[Line]) -> bytes:
    """Hash everything a journal's rows say, so that a verifier can rebuild it from them alone (SHA-256 of JSON).

    `heading` is (tenant, journal id, kind, currency, subject, description).
    """
    return hashlib.sha256(msgspec.json.encode([heading, int(posted_at.timestamp() * 1_000_000), sorted(lines)])).digest()


def _invalid(command: PostJournal, problem: str) -> Refusal:
    return Refusal("VALIDATION_ERROR", problem, {"kind": command.kind})

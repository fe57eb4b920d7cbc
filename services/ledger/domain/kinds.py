"""Which accounts each kind of journal may touch; the ledger refuses any other, whoever asks."""

from typing import Final

from libs.common.contracts.accounts import JournalKind
from services.ledger.domain.addresses import Purpose

Move = tuple[Purpose, Purpose]

MOVES: Final[dict[JournalKind, frozenset[Move]]] = {
    "reserve": frozenset({("available", "reserved")}),
    "cancel": frozenset({("reserved", "available")}),
    "fund": frozenset({("reserved", "escrow")}),
    "release": frozenset({("escrow", "available"), ("escrow", "fees")}),
    "refund": frozenset({("escrow", "available")}),
    "split": frozenset({("escrow", "available"), ("escrow", "fees")}),
    "withdraw": frozenset({("available", "clearing")}),
    "settle": frozenset({("clearing", "stellar"), ("clearing", "airtm")}),
    "return": frozenset({("clearing", "available")}),
    "deposit": frozenset({("stellar", "available")}),
    "topup": frozenset({("airtm", "available")}),
    "adjust": frozenset({("adjustments", "available"), ("available", "adjustments")}),
}
"""(source purpose, destination purpose) of every posting a kind may hold."""

NEEDS_ACTIVE_USERS: Final = frozenset({"reserve", "fund", "withdraw"})
"""Kinds that start something new: not for, and not with, a suspended user; what only gives money back is always allowed."""

SAME_OWNER: Final = frozenset({"reserve", "cancel"})
"""Kinds that stay inside one user's accounts."""

EVENT: Final[dict[Move, str]] = {
    ("available", "reserved"): "balance.reserved",
    ("reserved", "available"): "balance.released",
    ("reserved", "escrow"): "balance.released",
    ("escrow", "available"): "balance.credited",
    ("available", "clearing"): "balance.debited",
    ("clearing", "available"): "balance.credited",
    ("stellar", "available"): "balance.credited",
    ("airtm", "available"): "balance.credited",
    ("adjustments", "available"): "balance.credited",
    ("available", "adjustments"): "balance.debited",
}
"""What a posting means to the user whose money moved; the others concern nobody's balance."""

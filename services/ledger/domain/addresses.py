"""What an account's address says: whose it is, what it is for, and whether it may go below zero."""

from dataclasses import dataclass
from typing import Final, Literal

Purpose = Literal["available", "reserved", "escrow", "clearing", "fees", "adjustments", "stellar", "airtm"]

FLOORED: Final = frozenset({"available", "reserved", "escrow", "clearing"})
"""Purposes whose balance is somebody's money, so it never goes below zero."""

_PURPOSES: Final[dict[tuple[str, str], Purpose]] = {
    ("user", "available"): "available",
    ("user", "reserved"): "reserved",
    ("order", "escrow"): "escrow",
    ("withdrawal", "clearing"): "clearing",
}
_SINGLE: Final[dict[str, Purpose]] = {
    "platform:fees": "fees",
    "platform:adjustments": "adjustments",
    "external:stellar": "stellar",
    "external:airtm": "airtm",
}


@dataclass(frozen=True, slots=True)
class Address:
    """An account's address taken apart; `owner_id` is empty for the platform's own."""

    text: str
    purpose: Purpose
    owner_id: str

    @property
    def is_floored(self) -> bool:
        """Tell whether the account must never go below zero."""
        return self.purpose in FLOORED


def read_address(text: str) -> Address | None:
    """Take an address apart, or return None when it names no kind of account we keep."""
    if text in _SINGLE:
        return Address(text, _SINGLE[text], "")
    parts = text.split(":")
    if len(parts) != 3 or not parts[1]:  # noqa: PLR2004 - kind:owner:purpose
        return None
    purpose = _PURPOSES.get((parts[0], parts[2]))
    return None if purpose is None else Address(text, purpose, parts[1])

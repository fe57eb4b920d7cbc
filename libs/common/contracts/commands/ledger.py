"""What the ledger obeys. Amounts are stroops (10⁻⁷)."""

from typing import Any

import msgspec

from libs.common.contracts.accounts import JournalKind
from libs.common.kernel.money import Currency


class OpenUser(msgspec.Struct, frozen=True):
    """Make an account holder; a known `external_user_id` gives back the one it names."""

    user_id: str
    external_user_id: str
    user_type: str = "BOTH"
    email: str | None = None
    metadata: dict[str, Any] = {}


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One amount from one account to another, both of the journal's currency."""

    source: str
    destination: str
    amount: int


class PostJournal(msgspec.Struct, frozen=True, gc=False):
    """Record a set of postings together or not at all. The message id is the journal id."""

    kind: JournalKind
    currency: Currency
    postings: tuple[Posting, ...]
    subject: str = ""
    """What it is for: an order, withdrawal or deposit id, or a support agent's reference."""
    description: str = ""

"""What the ledger obeys. Amounts are stroops (10⁻⁷)."""

from typing import Any, Literal

import msgspec

from libs.common.contracts.accounts import JournalKind
from libs.common.kernel.money import Currency

WantedStatus = Literal["ACTIVE", "SUSPENDED"]
"""What a user's status can be set to; PENDING_VERIFICATION is only ever left."""


class OpenUser(msgspec.Struct, frozen=True):
    """Make an account holder; a known `external_user_id` gives back the one it names."""

    user_id: str
    external_user_id: str
    user_type: str = "BOTH"
    email: str | None = None
    metadata: dict[str, Any] = {}


class UpdateUser(msgspec.Struct, frozen=True):
    """Change what is given of a user; what is left out stays as it is.

    An `email` of None is removed. `metadata` is laid over what is there, a value of None removes its key. `reason` is for
    the event that tells of a change of status.
    """

    user_id: str
    status: WantedStatus | None = None
    user_type: str | None = None
    email: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: dict[str, Any] = {}
    reason: str | None = None


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
    counterparties: tuple[str, ...] = ()
    """Users whose money it does not touch, but who must be active too when it starts something."""

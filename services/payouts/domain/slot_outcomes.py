"""What came of a slot: for each of its payments, from the transaction that took it and that transaction's result codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from libs.common.contracts.commands.payouts import Ending
from services.payouts.domain.slots import Envelope, Told

RETRY_SECONDS: Final = 60
"""How long a payment waits that failed through no fault of its destination."""
SUCCESS: Final = "op_success"


class Fault(StrEnum):
    """Whose fault an operation's failure is."""

    NONE = "NONE"
    """It would have succeeded: another operation of its transaction did not."""
    DESTINATION = "DESTINATION"
    PERMANENT = "PERMANENT"
    OURS = "OURS"
    """The treasury's, the channel's or a mistake: the user's money stays put by, and it is tried again."""


FAULTS: Final[Mapping[str, Fault]] = {
    SUCCESS: Fault.NONE,
    "op_no_destination": Fault.DESTINATION,
    "op_no_trust": Fault.DESTINATION,
    "op_not_authorized": Fault.DESTINATION,
    "op_line_full": Fault.DESTINATION,
    "op_malformed": Fault.PERMANENT,
    "op_no_issuer": Fault.PERMANENT,
    "op_underfunded": Fault.OURS,
    "op_src_no_trust": Fault.OURS,
    "op_src_not_authorized": Fault.OURS,
    "op_bad_auth": Fault.OURS,
    "op_no_source_account": Fault.OURS,
    "op_not_supported": Fault.OURS,
    "op_too_many_subentries": Fault.OURS,
    "op_exceeded_work_limit": Fault.OURS,
    "op_too_many_sponsoring": Fault.OURS,
}
"""Every code a payment's operation can have. One that is not here is ours: nothing is given back on a guess."""

REASONS: Final[Mapping[str, str]] = {
    "op_no_destination": "Destination account does not exist",
    "op_no_trust": "Destination account does not have USDC trustline",
    "op_not_authorized": "Destination account is not authorized to hold the asset",
    "op_line_full": "Destination account can't hold that much of the asset",
    "op_malformed": "The network does not accept the payment",
    "op_no_issuer": "The asset's issuer does not exist",
}

ADMISSION: Final[Mapping[str, Told]] = {
    "tx_bad_seq": Told.LOOK,
    "tx_too_late": Told.EXPIRED,
    "tx_too_early": Told.NOTHING,
    "tx_insufficient_fee": Told.LOW_FEE,
    "tx_insufficient_balance": Told.POOR,
    "tx_no_source_account": Told.POOR,
    "tx_internal_error": Told.NOTHING,
    "tx_bad_auth": Told.REFUSED,
    "tx_bad_auth_extra": Told.REFUSED,
    "tx_missing_operation": Told.REFUSED,
    "tx_malformed": Told.REFUSED,
    "tx_not_supported": Told.REFUSED,
    "tx_bad_sponsorship": Told.REFUSED,
    "tx_bad_minseq_age_or_gap": Told.REFUSED,
    "tx_soroban_invalid": Told.REFUSED,
    "tx_frozen_key_accessed": Told.REFUSED,
    "tx_failed": Told.REFUSED,
}
"""What a refusal at the door means. A fee bump's code is that of the transaction inside, unless its own says more."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A transaction that is in a ledger."""

    hash: str
    inner_hash: str
    source: str
    """Whose sequence number it took; lists of an account's transactions have others' too."""
    sequence: int
    ledger: int
    is_successful: bool
    codes: tuple[str, ...]
    """One an operation; empty when it failed before its operations were tried."""


@dataclass(frozen=True, slots=True)
class Item:
    """A payment of a slot."""

    place: int
    tenant: str
    withdrawal_id: str
    is_canceled: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one payment: it ends, or (`ending` None) goes into another slot after some seconds."""

    item: Item
    ending: Ending | None
    code: str | None = None
    reason: str | None = None
    wait_seconds: int = 0


SlotState = Literal["PAID", "FAILED", "VOID"]


def state_of(applied: Applied, envelope: Envelope) -> SlotState:
    """Name how a slot was closed."""
    if not applied.is_successful:
        return "FAILED"
    return "PAID" if envelope.kind == "payment" else "VOID"


def outcomes(items: Sequence[Item], applied: Applied, envelope: Envelope) -> list[Outcome]:
    """Tell each payment's outcome; `envelope` is the one that was applied."""
    paid = sorted(envelope.places)
    codes = dict(zip(paid, applied.codes, strict=False))
    return [_outcome(item, applied, codes.get(item.place), is_in=item.place in paid) for item in items]


def _outcome(item: Item, applied: Applied, code: str | None, *, is_in: bool) -> Outcome:
    if is_in and applied.is_successful:
        return Outcome(item, "PAID")
    fault = FAULTS.get(code, Fault.OURS) if code is not None else Fault.NONE
    if is_in and code is not None and fault in (Fault.DESTINATION, Fault.PERMANENT):
        return Outcome(item, "FAILED", code, REASONS[code])
    if item.is_canceled:
        return Outcome(item, "CANCELED")
    wait = RETRY_SECONDS if is_in and (fault == Fault.OURS or not applied.codes) else 0
    return Outcome(item, None, code, wait_seconds=wait)

"""A deposit: money that came to an account of ours on the chain, whose it is, and how it gets into the books."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from libs.common.contracts import accounts
from libs.common.contracts.commands.ledger import Posting, PostJournal
from libs.common.kernel.ids import derive_id
from libs.common.kernel.money import MAX_STROOPS, Currency
from services.payouts.domain.envelope_xdr import (
    ACCOUNT_MERGE,
    CLAIMABLE,
    CREATE_ACCOUNT,
    PAYMENT,
    STRICT_RECEIVE,
    STRICT_SEND,
)
from services.payouts.domain.ledger_chain import Proved, operation_id
from services.payouts.domain.strkey import account_address
from services.payouts.domain.xdr import NATIVE_XDR, asset_text

RESEND_AFTER: Final = timedelta(seconds=3)
"""How long the ledger has to answer before it is asked again."""
PREFIX: Final = "dep"
KINDS: Final = {
    CREATE_ACCOUNT: "create_account",
    PAYMENT: "payment",
    STRICT_RECEIVE: "path_payment_strict_receive",
    ACCOUNT_MERGE: "account_merge",
    STRICT_SEND: "path_payment_strict_send",
    CLAIMABLE: "create_claimable_balance",
}


class Status(StrEnum):
    """Where a deposit stands."""

    PENDING = "PENDING"
    """The ledger has been asked to credit its user."""
    CREDITED = "CREDITED"
    SUSPENSE = "SUSPENSE"
    """It is here, and nobody is credited with it until a person has said whose it is."""
    KEPT = "KEPT"
    """A person said that it is the platform's own."""


class Owner(NamedTuple):
    """Whose a wallet is."""

    tenant: str
    user_id: str


NOBODY: Final = Owner("", "")


class Arrival(NamedTuple):
    """Money that an operation brought to an account; accounts are addresses, the amount is in stroops."""

    ledger: int
    closed_at: int
    operation_id: int
    """Horizon's: the operation's ledger, transaction and place in one number, so that no two arrivals share one."""
    transaction_hash: str
    kind: str
    account: str
    sender: str
    memo: str
    """The number in the address as `muxed:7`, else the transaction's memo as `id:7`; empty without either."""
    asset: bytes
    amount: int


class Deposit(msgspec.Struct, frozen=True):
    """An arrival that concerns us, as it is stored. Nobody's has no tenant or user; what the books don't keep has no currency."""

    tenant: str
    id: str
    user_id: str
    network: str
    account: str
    operation_id: int
    ledger: int
    transaction_hash: str
    kind: str
    asset: str
    currency: str | None
    amount: int
    sender: str
    memo: str
    status: Status
    reason: str | None
    version: int
    pending_due: datetime | None
    closed_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ours:
    """What tells our own accounts and assets from others on a network."""

    network: str
    treasury: str
    helpers: frozenset[str]
    """The sponsor and the channels: their lumens are reserves and fees, never a deposit."""
    usdc: bytes
    """The dollar, as XDR."""

    def currency(self, asset: bytes) -> Currency | None:
        """Name the currency an asset is booked as; None for one that the books do not have."""
        if asset == self.usdc:
            return "USD"
        return "XLM" if asset == NATIVE_XDR else None


def arrivals(ledger: int, closed_at: int, transactions: Iterable[Proved]) -> Iterator[Arrival]:
    """Say what transactions of a ledger brought to whom, ours or not; failed ones bring nothing."""
    for transaction in transactions:
        if not transaction.result.is_successful:
            continue
        for transfer in transaction.read.transfers:
            amount = transfer.amount if transfer.amount is not None else transaction.result.received[transfer.place]
            if amount > 0:
                yield Arrival(
                    ledger,
                    closed_at,
                    operation_id(ledger, transaction.order, transfer.place),
                    transaction.hash.hex(),
                    KINDS[transfer.kind],
                    account_address(transfer.destination),
                    account_address(transfer.source),
                    transaction.read.memo if transfer.number is None else f"muxed:{transfer.number}",
                    transfer.asset,
                    amount,
                )


def number_of(memo: str) -> int | None:
    """Read the number that names a user; some wallets can only write it as text."""
    kind, _, value = memo.partition(":")
    is_number = kind in ("muxed", "id", "text") and value.isascii() and value.isdecimal()
    number = int(value) if is_number else -1
    return number if 0 <= number <= MAX_STROOPS else None  # as far as the table's numbers go


def deposit_of(
    arrival: Arrival, ours: Ours, owners: Mapping[str, Owner], by_memo: Mapping[int, Owner], now: datetime
) -> Deposit | None:
    """Say whose an arrival is; None when it is none of ours, or only moves what is ours already."""
    if arrival.sender in ours.helpers or arrival.sender == arrival.account:
        return None
    found = _owner(arrival, ours, owners, by_memo)
    if found is None:
        return None
    owner, reason = found
    currency = ours.currency(arrival.asset)
    if arrival.kind == KINDS[CLAIMABLE]:
        if currency is None:  # anybody can offer anything to everybody
            return None
        currency, reason = None, "CLAIMABLE"
    elif currency is None:
        reason = "UNKNOWN_ASSET"
    return Deposit(
        tenant=owner.tenant,
        id=derive_id(PREFIX, ours.network, arrival.operation_id),
        user_id=owner.user_id,
        network=ours.network,
        account=arrival.account,
        operation_id=arrival.operation_id,
        ledger=arrival.ledger,
        transaction_hash=arrival.transaction_hash,
        kind=arrival.kind,
        asset=asset_text(arrival.asset),
        currency=currency,
        amount=arrival.amount,
        sender=arrival.sender,
        memo=arrival.memo,
        status=Status.SUSPENSE if reason else Status.PENDING,
        reason=reason,
        version=1,
        pending_due=None if reason else now + RESEND_AFTER,
        closed_at=datetime.fromtimestamp(arrival.closed_at, UTC),
        created_at=now,
    )


def _owner(
    arrival: Arrival, ours: Ours, owners: Mapping[str, Owner], by_memo: Mapping[int, Owner]
) -> tuple[Owner, str | None] | None:
    """Say whose it is, or why nobody's; None when the account is none of ours, or it was swept."""
    if arrival.account != ours.treasury:
        owner = owners.get(arrival.account)
        return None if owner is None else (owner, None)
    if arrival.sender in owners:
        return None
    number = number_of(arrival.memo)
    owner = NOBODY if number is None else by_memo.get(number, NOBODY)
    return owner, None if owner != NOBODY else "UNKNOWN_MEMO" if arrival.memo else "NO_MEMO"


def journal(deposit_id: str, user_id: str, currency: Currency, amount: int, transaction_hash: str) -> PostJournal:
    """Write the journal that credits a user."""
    leg = Posting(accounts.EXTERNAL_STELLAR, accounts.available(user_id), amount)
    return PostJournal("deposit", currency, (leg,), subject=deposit_id, description=transaction_hash)


def journal_id(tenant: str, deposit_id: str, version: int) -> str:
    """Name the journal of an attempt to credit: the same attempt always makes the same one."""
    return derive_id("jrn", tenant, deposit_id, version)

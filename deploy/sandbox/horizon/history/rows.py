"""What a ledger leaves behind, as rows to keep."""

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from deploy.sandbox.horizon.chain.entries import Entry
from deploy.sandbox.horizon.chain.values import total_order
from deploy.sandbox.horizon.ledger.applying import Applied, Done
from deploy.sandbox.horizon.ledger.chain import Closed
from deploy.sandbox.horizon.operations.catalog import kind_of
from deploy.sandbox.horizon.resources.operations import effect_body, operation_body, subjects
from deploy.sandbox.horizon.resources.transactions import transaction_body

TRANSACTION = 0
OPERATION = 1


class LedgerRow(NamedTuple):
    """A closed ledger; `offered` counts operations of failed transactions too."""

    sequence: int
    hash: str
    header: bytes
    successful: int
    failed: int
    operations: int
    offered: int


class TransactionRow(NamedTuple):
    """A transaction; its rates are per operation, `inner_hash` is empty unless it is a fee bump."""

    order: int
    hash: str
    inner_hash: str
    is_successful: bool
    charged_rate: int
    bid_rate: int
    body: bytes


class OperationRow(NamedTuple):
    """An operation."""

    order: int
    is_payment: bool
    is_successful: bool
    body: bytes


class EffectRow(NamedTuple):
    """An effect; `place` counts from 1 within its operation."""

    operation: int
    place: int
    account: str
    body: bytes


class Mention(NamedTuple):
    """An account's or balance's part in a transaction or an operation."""

    subject: str
    what: int
    order: int


@dataclass(slots=True)
class Rows:
    """All rows of one ledger."""

    ledger: LedgerRow
    entries: dict[str, Entry | None]
    transactions: list[TransactionRow]
    operations: list[OperationRow]
    effects: list[EffectRow]
    mentions: set[Mention]


def rows_of(closed: Closed) -> Rows:
    """Write a ledger down."""
    successful = [applied for applied in closed.applied if applied.is_successful]
    ledger = LedgerRow(
        sequence=closed.sequence,
        hash=closed.hash.hex(),
        header=closed.header.encoded(),
        successful=len(successful),
        failed=len(closed.applied) - len(successful),
        operations=sum(len(applied.frame.operations) for applied in successful),
        offered=sum(len(applied.frame.operations) for applied in closed.applied),
    )
    rows = Rows(ledger, closed.changes, [], [], [], set())
    for place, applied in enumerate(closed.applied, 1):
        _write(rows, applied, closed.sequence, place, closed.header.close_time)
    return rows


def _write(rows: Rows, applied: Applied, ledger: int, place: int, close_time: int) -> None:
    frame, order = applied.frame, total_order(ledger, place)
    units = max(1, frame.operation_count)
    body = transaction_body(applied, order, ledger, close_time)
    rows.transactions.append(
        TransactionRow(
            order=order,
            hash=frame.hash.hex(),
            inner_hash="" if frame.inner is None else frame.inner.hash.hex(),
            is_successful=applied.is_successful,
            charged_rate=applied.result.fee_charged.int64 // units,
            bid_rate=frame.fee // units,
            body=msgspec.json.encode(body),
        )
    )
    involved = {frame.source.account, frame.fee_source.account}
    nothing = Done()
    for index, raw in enumerate(frame.operations):
        done = applied.done[index] if applied.done else nothing
        own = total_order(ledger, place, index + 1)
        shown = msgspec.json.encode(operation_body(applied, index, done, own, close_time))
        rows.operations.append(OperationRow(own, kind_of(raw).is_payment, applied.is_successful, shown))
        concerned = subjects(frame, index, done)
        involved |= concerned
        rows.mentions |= {Mention(subject, OPERATION, own) for subject in concerned}
        for number, effect in enumerate(done.effects, 1):
            told = msgspec.json.encode(effect_body(effect, own, number, close_time))
            rows.effects.append(EffectRow(own, number, effect.party.account, told))
    rows.mentions |= {Mention(subject, TRANSACTION, order) for subject in involved}

"""Verify that no recorded request was changed, removed or slipped in since it was sealed."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from libs.common.kernel.clock import Clock
from services.gateway.domain.records import GENESIS, batch_digest, chained, record_hash
from services.gateway.store.records import BatchRow, RecordRow, RecordStore

_BATCHES_AT_ONCE: Final = 200
_COMPLAINTS_MAX: Final = 100


@dataclass(slots=True)
class Verdict:
    """What the walk along the chain found; `position` and `hash` of its head are worth keeping outside the database."""

    batches: int = 0
    records: int = 0
    forgotten: int = 0
    """Records that retention has removed."""
    position: int = 0
    hash: bytes = GENESIS
    complaints: list[str] = field(default_factory=list)


async def verify_records(
    store: RecordStore, clock: Clock, *, kept: timedelta, anchor: tuple[int, bytes] | None = None
) -> Verdict:
    """Walk the whole chain. `anchor` is a (position, hash) that was written down earlier: it must still be part of it.

    Records may be missing only from batches sealed longer ago than `kept`.
    """
    verdict = Verdict()
    head = await store.head()
    oldest = clock.now() - kept
    async for batches, sealed in store.batches(size=_BATCHES_AT_ONCE):
        for batch in batches:
            _follow(verdict, batch)
            _check_records(verdict, batch, sealed[batch.id], may_miss=batch.sealed_at < oldest)
            if anchor is not None and batch.position == anchor[0] and batch.hash != anchor[1]:
                verdict.complaints.append(f"batch {batch.position}: not the one that was written down")
        if len(verdict.complaints) >= _COMPLAINTS_MAX:
            return verdict
    if verdict.position < head[0] or (verdict.position == head[0] and verdict.hash != head[1]):
        verdict.complaints.append(f"the chain ends at {verdict.position}, its head says {head[0]}")
    if anchor is not None and anchor[0] > verdict.position:
        verdict.complaints.append(f"the chain ends at {verdict.position}, but batch {anchor[0]} was written down")
    verdict.complaints += [f"record {stray}: in no batch" for stray in await store.strays(limit=_COMPLAINTS_MAX)]
    return verdict


def _follow(verdict: Verdict, batch: BatchRow) -> None:
    if batch.position != verdict.position + 1:
        verdict.complaints.append(f"batch {verdict.position + 1}: missing")
    elif batch.hash != chained(verdict.hash, batch.digest):
        verdict.complaints.append(f"batch {batch.position}: its hash does not follow from the one before")
    verdict.batches += 1
    verdict.position, verdict.hash = batch.position, batch.hash


def _check_records(verdict: Verdict, batch: BatchRow, sealed: list[tuple[RecordRow, bytes]], *, may_miss: bool) -> None:
    for row, stored in sealed:
        if record_hash(row.record()) != stored:
            verdict.complaints.append(f"record {row.id}: changed")
    missing = batch.records - len(sealed)
    verdict.records += len(sealed)
    if missing > 0 and may_miss:
        verdict.forgotten += missing
    elif missing != 0:
        verdict.complaints.append(f"batch {batch.position}: sealed {batch.records} records, has {len(sealed)}")
    elif batch_digest([stored for _, stored in sealed]) != batch.digest:
        verdict.complaints.append(f"batch {batch.position}: its records are not those it sealed")

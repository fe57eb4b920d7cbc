"""One delivery attempt in three steps: take a lease, post, record what came of it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from libs.common.contracts.events.webhooks import EndpointEvent
from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging import faults
from libs.common.messaging.batch import outgoing_event
from libs.common.messaging.use_cases import Announce
from libs.common.persistence import outbox
from libs.common.persistence.outbox import Outgoing
from libs.common.persistence.rows import Connection
from libs.common.persistence.sealing import KeyRing
from services.webhooks.clients.sender import Response, Sender
from services.webhooks.domain.attempts import Claimed, LaneKey, Outcome
from services.webhooks.domain.deliveries import DeliveryState, judge
from services.webhooks.domain.event_filters import EXHAUSTED, aggregate_of
from services.webhooks.domain.signing import delivery_headers
from services.webhooks.store import deliveries
from services.webhooks.store.deliveries import Note

ORPHANS_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries not finished, by how long the first of them is overdue, and how long the oldest early event waits."""

    pending: int
    overdue_seconds: float
    gap_seconds: float


@dataclass(frozen=True, slots=True)
class Policy:
    """How deliveries are made: waits after failed attempts, lease, and how many one endpoint may have at once."""

    waits: Sequence[float]
    lease: timedelta
    lane_max: int
    spread: Callable[[], float]
    """A random number in -1 … 1 for each retry."""


@dataclass(frozen=True, slots=True)
class Courier:
    """Makes delivery attempts; the dispatcher decides when and how many."""

    pool: asyncpg.Pool
    sender: Sender
    ring: KeyRing
    clock: Clock
    topology: Topology
    policy: Policy

    async def claim(self, *, limit: int, busy: Mapping[LaneKey, int]) -> list[Claimed]:
        """Lease due deliveries."""
        now = self.clock.now()
        async with self.pool.acquire() as connection:
            claimed = await deliveries.claim(
                connection,
                now=now,
                token=new_id("whd"),
                lease_until=now + self.policy.lease,
                busy=busy,
                lane_max=self.policy.lane_max,
                limit=limit,
            )
        if claimed:
            faults.reach("delivery.claimed")
        return claimed

    async def attempt(self, claimed: Claimed) -> Outcome:
        """Post a delivery; whatever the receiver does is an outcome.

        Raises:
            InvariantViolationError: its secret can't be opened, which is our trouble and no attempt of the receiver's.
        """
        secret = self.ring.open(claimed.sealed_secret, claimed.tenant, claimed.endpoint_id).decode()
        started_at = self.clock.now()
        headers = delivery_headers(
            secret,
            event_id=claimed.event_id,
            event_type=claimed.event_type,
            delivery_id=claimed.id,
            attempt=claimed.attempts + 1,
            timestamp=int(started_at.timestamp()),
            body=claimed.body,
        )
        response = await self.sender.post(claimed.url, body=claimed.body, headers=headers)
        faults.reach("delivery.sent")
        return self._outcome(claimed, started_at, response)

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record attempts: one statement, and a transaction around more when a delivery was lost for good."""
        async with self.pool.acquire() as connection:
            if any(outcome.state == DeliveryState.EXHAUSTED for outcome in outcomes):
                async with connection.transaction():
                    ours = await deliveries.record(connection, outcomes)
                    lost = [item for item in outcomes if (item.claimed.tenant, item.claimed.id) in ours]
                    await self._announce_lost(connection, [item for item in lost if item.state == DeliveryState.EXHAUSTED])
            else:
                await deliveries.record(connection, outcomes)
        faults.reach("delivery.recorded")

    async def release(self, claims: Sequence[Claimed]) -> None:
        """Give back leases whose outcome will not be known."""
        async with self.pool.acquire() as connection:
            await deliveries.release(connection, claims)

    async def keep_house(self) -> Backlog:
        """Cancel what was on its way to endpoints that were deleted, and look at what is left."""
        while await deliveries.cancel_orphans(self.pool, limit=ORPHANS_AT_ONCE) == ORPHANS_AT_ONCE:
            pass
        pending, due_at, gap_since = await deliveries.backlog(self.pool)
        now = self.clock.now()
        return Backlog(pending, _seconds_since(due_at, now), _seconds_since(gap_since, now))

    def _outcome(self, claimed: Claimed, started_at: datetime, response: Response) -> Outcome:
        policy = self.policy
        verdict = judge(response.status, attempts=claimed.attempts + 1, waits=policy.waits, spread=policy.spread())
        again = None if verdict.wait_seconds is None else self.clock.now() + timedelta(seconds=verdict.wait_seconds)
        return Outcome(
            claimed=claimed,
            started_at=started_at,
            duration_ms=response.duration_ms,
            status=response.status,
            error=response.error,
            response=response.body,
            state=verdict.state,
            next_attempt_at=again,
            is_gone=verdict.is_gone,
        )

    async def _announce_lost(self, connection: Connection, lost: Sequence[Outcome]) -> None:
        if not lost:
            return
        # That a notice of exhaustion could not be delivered is announced to nobody: two dead endpoints that subscribe to
        # everything would tell each other for ever.
        told = [item.claimed for item in lost if item.claimed.event_type != EXHAUSTED]
        counts = Counter(claimed.lane for claimed in told)
        gone = {item.claimed.lane for item in lost if item.is_gone}
        notes = [Note(*lane, counts[lane], lane in gone) for lane in {item.claimed.lane for item in lost}]
        now = self.clock.now()
        after = await deliveries.note_exhausted(connection, notes, now=now)
        messages: list[Outgoing] = []
        for claimed in told:
            if claimed.lane in after:
                url, sequence = after[claimed.lane]
                counts[claimed.lane] -= 1
                event = EndpointEvent(claimed.endpoint_id, url, claimed.event_id)
                news = Announce(EXHAUSTED, aggregate_of(claimed.endpoint_id), sequence - counts[claimed.lane], event)
                messages.append(outgoing_event(self.topology, Tenant(claimed.tenant), news, now=now))
        if messages:
            await outbox.append(connection, messages, now - outbox.GRACE)  # the relay is their only publisher: due at once


def _seconds_since(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else max(0.0, (now - instant).total_seconds())

"""One delivery attempt in three steps: take a lease, post, record what came of it."""

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

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
from services.webhooks.domain.attempts import Claimed, Claims, LaneKey, Outcome, Recorded
from services.webhooks.domain.deliveries import DeliveryState, judge
from services.webhooks.domain.event_filters import DISABLED, EXHAUSTED, TEST, aggregate_of
from services.webhooks.domain.health import KEPT
from services.webhooks.domain.lanes import Breaker, Room, retry_after
from services.webhooks.domain.signing import CHALLENGE_HEADER, challenge_of, delivery_headers
from services.webhooks.store import claims, deliveries, endpoints, health
from services.webhooks.store.deliveries import Note, Noted
from services.webhooks.store.lane_states import lane_states

ORPHANS_AT_ONCE: Final = 5_000
MOVED_MAX: Final = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries not finished, by how long the first of them is overdue, and how long the oldest early event waits."""

    pending: int
    overdue_seconds: float
    gap_seconds: float
    lanes: Mapping[str, tuple[int, float]]
    """By state: lanes with work, and by how many seconds the first of it is overdue."""
    canceled: int
    """Deliveries that were just found to have no endpoint any more."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How deliveries are made: waits after failed attempts, lease, and what is done about endpoints that fail."""

    waits: Sequence[float]
    lease: timedelta
    breaker: Breaker
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

    async def claim(self, room: Room) -> Claims:
        """Lease due deliveries."""
        found = await _unmoved(lambda: self._claim(room))
        if found.deliveries:
            faults.reach("delivery.claimed")
        return found

    async def attempt(self, claimed: Claimed) -> Outcome:
        """Post a delivery; whatever the receiver does is an outcome.

        Raises:
            InvariantViolationError: a secret can't be opened, which is our trouble and no attempt of the receiver's.
        """
        owner = claimed.tenant, claimed.endpoint_id
        secrets = [self.ring.open(sealed, *owner).decode() for sealed in claimed.sealed_secrets]
        started_at = self.clock.now()
        headers = delivery_headers(
            secrets,
            event_id=claimed.event_id,
            event_type=claimed.event_type,
            delivery_id=claimed.id,
            attempt=claimed.attempts + 1,
            timestamp=int(started_at.timestamp()),
            body=claimed.body,
        )
        challenge = None if claimed.is_verified else challenge_of(secrets[0], claimed.id)
        asking = {} if challenge is None else {CHALLENGE_HEADER: challenge}
        response = await self.sender.post(claimed.url, body=claimed.body, headers=headers | asking)
        faults.reach("delivery.sent")
        is_repeated = challenge is not None and response.challenge == challenge
        return self._outcome(claimed, started_at, response, headers["webhook-signature"], is_repeated=is_repeated)

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Record attempts: one statement, and a transaction around more when something has come to its end."""
        await _unmoved(lambda: self._record(outcomes))
        faults.reach("delivery.recorded")

    async def _claim(self, room: Room) -> Claims:
        now = self.clock.now()
        async with self.pool.acquire() as connection:
            return await claims.claim(
                connection,
                now=now,
                token=new_id("whd"),
                lease_until=now + self.policy.lease,
                room=room,
                breaker=self.policy.breaker,
            )

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        now, breaker = self.clock.now(), self.policy.breaker
        async with self.pool.acquire() as connection:
            if all(outcome.state == DeliveryState.DELIVERED and not outcome.is_proof for outcome in outcomes):
                await deliveries.record(connection, outcomes, now=now, breaker=breaker)
            else:
                async with connection.transaction():
                    await deliveries.lock_endpoints(connection, {outcome.claimed.lane for outcome in outcomes})
                    recorded = await deliveries.record(connection, outcomes, now=now, breaker=breaker)
                    await self._announce_ends(connection, outcomes, recorded, now)
                    proofs = {(*outcome.claimed.lane, outcome.claimed.url) for outcome in outcomes if outcome.is_proof}
                    await endpoints.verify(connection, proofs, now=now)

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back leases whose outcome will not be known."""
        async with self.pool.acquire() as connection:
            await deliveries.release(connection, claimed)

    async def keep_house(self) -> Backlog:
        """Cancel what was on its way to endpoints that were deleted, forget old counts, and look at what is left.

        Raises:
            PostgresError: not now; what was not done is done the next time.
        """
        await deliveries.analyze_due(self.pool)
        canceled, last = 0, ORPHANS_AT_ONCE
        while last == ORPHANS_AT_ONCE:
            last = await deliveries.cancel_orphans(self.pool, limit=ORPHANS_AT_ONCE)
            canceled += last
        now = self.clock.now()
        await health.forget(self.pool, before=now - KEPT)
        pending, due_at, gap_since = await deliveries.backlog(self.pool)
        sums = await lane_states(self.pool, now=now, breaker=self.policy.breaker)
        lanes = {item.state: (item.lanes, _seconds_since(item.due_at, now)) for item in sums}
        return Backlog(pending, _seconds_since(due_at, now), _seconds_since(gap_since, now), lanes, canceled)

    def _outcome(
        self, claimed: Claimed, started_at: datetime, response: Response, signature: str, *, is_repeated: bool
    ) -> Outcome:
        policy = self.policy
        waits = () if claimed.event_type == TEST else policy.waits  # who asked for a test looks at it now
        now = self.clock.now()
        asked = retry_after(response.status, response.retry_after, now)
        number = claimed.attempts - claimed.base_attempts + 1
        verdict = judge(response.status, attempts=number, waits=waits, spread=policy.spread(), asked_seconds=asked)
        again = None if verdict.wait_seconds is None else now + timedelta(seconds=verdict.wait_seconds)
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
            parked_until=now + timedelta(seconds=asked) if asked else None,
            connect_ms=response.connect_ms,
            signature=signature,
            is_proof=is_repeated and verdict.state == DeliveryState.DELIVERED,
        )

    async def _announce_ends(
        self, connection: Connection, outcomes: Sequence[Outcome], recorded: Recorded, now: datetime
    ) -> None:
        ours = [item for item in outcomes if (item.claimed.tenant, item.claimed.id) in recorded.ours]
        lost = [item for item in ours if item.state == DeliveryState.EXHAUSTED]
        worn_out = timedelta(seconds=self.policy.breaker.disable_seconds)
        ending = {lane for lane, since in recorded.failing.items() if now - since >= worn_out}
        ending |= {item.claimed.lane for item in lost if item.is_gone}
        lanes = ending | {item.claimed.lane for item in lost}
        if not lanes:
            return
        # That a notice of failure could not be delivered is announced to nobody: two dead endpoints that subscribe to
        # everything would tell each other for ever. Of a test its caller reads.
        told = [item.claimed for item in lost if item.claimed.event_type not in (EXHAUSTED, DISABLED, TEST)]
        counts = Counter(claimed.lane for claimed in told)
        notes = [Note(*lane, counts[lane], ends=lane in ending) for lane in lanes]
        noted = await deliveries.note_lost(connection, notes, now=now)
        news: list[tuple[LaneKey, str, str | None]] = [(claimed.lane, EXHAUSTED, claimed.event_id) for claimed in told]
        news += [(lane, DISABLED, None) for lane, note in noted.items() if note.was_ended]
        await self._announce(connection, news, noted, now)

    async def _announce(
        self,
        connection: Connection,
        news: Sequence[tuple[LaneKey, str, str | None]],
        noted: Mapping[LaneKey, Noted],
        now: datetime,
    ) -> None:
        """Announce (endpoint, what, of which event), numbered up to what the endpoints have counted to."""
        left = Counter(lane for lane, _, _ in news)
        messages: list[Outgoing] = []
        for lane, kind, event_id in news:
            if lane in noted:
                (tenant, endpoint_id), note = lane, noted[lane]
                left[lane] -= 1
                data = EndpointEvent(endpoint_id, note.url, event_id)
                said = Announce(kind, aggregate_of(endpoint_id), note.sequence - left[lane], data)
                messages.append(outgoing_event(self.topology, Tenant(tenant), said, now=now))
        if messages:
            await outbox.append(connection, messages, now - outbox.GRACE)  # the relay is their only publisher: due at once


async def _unmoved(step: Callable[[], Awaitable[T]]) -> T:
    """Make a step again while a delivery it was about to lock ends elsewhere: it lies in another partition then, says 40001."""
    for _ in range(MOVED_MAX):
        with contextlib.suppress(asyncpg.SerializationError):
            return await step()
    return await step()


def _seconds_since(instant: datetime | None, now: datetime) -> float:
    return 0.0 if instant is None else max(0.0, (now - instant).total_seconds())

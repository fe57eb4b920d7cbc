"""Dispatchers without HTTP: a due table filled by hand, claimed and recorded with a clock that the test moves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg

from libs.common.kernel.ids import Tenant, new_id
from services.webhooks.domain.attempts import Claimed, Claims, LaneKey, Outcome
from services.webhooks.domain.lanes import Breaker, LaneRoom, Room
from services.webhooks.store import claims, deliveries
from services.webhooks.store.delivery_rows import DELIVERIES, DeliveryRow
from services.webhooks.store.endpoint_rows import ENDPOINTS, SECRETS, SecretRow
from services.webhooks.store.log_rows import EVENT_LOG, EventRow
from tests.support.lists import delivery, endpoint

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
NEVER = Breaker(failures=1_000_000, park_seconds=1.0, disable_seconds=1e9)


@dataclass
class DueTable:
    """One tenant's due table; `owner` is a connection into the schema."""

    owner: asyncpg.Connection
    tenant: Tenant
    now: datetime = BEGIN
    logged: int = 0
    shown: dict[str, str] = field(default_factory=dict)
    """What each delivery is of, by its id."""

    async def endpoint(self, order_mode: str, **limits: int | None) -> str:
        """Make an endpoint, with a gate when it has need of one."""
        made = endpoint(self.tenant, self.now, order_mode=order_mode, **limits)
        await ENDPOINTS.insert(self.owner, [made])
        secret = SecretRow(self.tenant, made.id, 1, b"sealed", self.now, primary_at=self.now, retires_at=None)
        await SECRETS.insert(self.owner, [secret])
        if order_mode != "parallel" or limits:
            await self.gate(made.id, opens_at=self.now)
        return made.id

    async def gate(self, endpoint_id: str, *, opens_at: datetime) -> None:
        """Make a gate, or close the one that is there."""
        await self.owner.execute(
            "INSERT INTO gates (tenant, endpoint_id, paid_until, opens_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (tenant, endpoint_id) DO UPDATE SET opens_at = excluded.opens_at",
            self.tenant,
            endpoint_id,
            self.now,
            opens_at,
        )

    async def log(self, aggregates: Iterable[str], endpoints: Iterable[str]) -> list[DeliveryRow]:
        """Log an event of each aggregate, with a delivery to each endpoint."""
        events, made = [], []
        for aggregate in aggregates:
            self.logged += 1
            place = self.logged
            events.append(EventRow(self.tenant, place, new_id("evt"), "order.created", aggregate, place, (), b"{}", self.now))
            made += [
                delivery(self.tenant, endpoint_id, place, "PENDING", moment=self.now, aggregate=aggregate, logged_at=self.now)
                for endpoint_id in endpoints
            ]
        await EVENT_LOG.insert(self.owner, events)
        await DELIVERIES.insert(self.owner, made)
        return made

    async def claim(
        self, *, slots: int = 16, limit: int = 4, lanes: Mapping[LaneKey, LaneRoom] | None = None, tenant_max: int = 1_000
    ) -> Claims:
        """Claim as a process does that has so many slots; its lanes have `limit` each unless told otherwise."""
        room = Room(slots, slots, slots, lanes or {}, limit, tenant_max)
        found = await claims.claim(
            self.owner, now=self.now, token=new_id("whd"), lease_until=self.now + LEASE, room=room, breaker=NEVER
        )
        return Claims([item for item in found.deliveries if item.tenant == self.tenant], found.scans)

    async def record(self, claimed: Claimed, state: str, *, wait: timedelta = timedelta(0)) -> bool:
        """Record how a delivery ended, and tell whether it was still ours."""
        again = self.now + wait if state == "PENDING" else None
        status = 200 if state == "DELIVERED" else 500
        outcome = Outcome(claimed, self.now, 1, status, None, b"", state, again, is_gone=False)
        recorded = await deliveries.record(self.owner, [outcome], now=self.now, breaker=NEVER)
        return (claimed.tenant, claimed.id) in recorded.ours


def lane_room(*, limit: int = 4, busy: int = 0, place: str = "", is_known: bool = False, is_quick: bool = False) -> LaneRoom:
    """How a lane stands."""
    return LaneRoom(limit, busy, is_quick=is_quick, is_known=is_known, place=place)

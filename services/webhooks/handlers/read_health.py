"""How endpoints do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from libs.common.contracts.queries.webhooks import GetHealth
from libs.common.contracts.replies.webhooks import Counts, EndpointHealth
from libs.common.kernel.clock import wire_time
from libs.common.messaging.queries import Answers, Asked
from services.webhooks.domain.health import BACKLOG_COUNTED, BreakerState, Slot, breaker_state, drain_seconds, summarize
from services.webhooks.domain.lanes import Breaker
from services.webhooks.handlers.views import no_endpoint
from services.webhooks.store import health
from services.webhooks.store.health import Standing


@dataclass(frozen=True, slots=True)
class HealthReader:
    """Judges by the breaker that deliveries are made with."""

    breaker: Breaker

    async def get_health(self, pool: asyncpg.Pool, asked: Sequence[Asked[GetHealth]]) -> Answers:
        """Answer with the health of endpoints."""
        keys = [(item.tenant, item.query.endpoint_id) for item in asked]
        found = await health.standings(pool, keys)
        traffic = await health.traffic(pool, list(found))
        return [self._view(found[key], traffic.get(key, ())) if key in found else no_endpoint(key[1]) for key in keys]

    def _view(self, standing: Standing, slots: Sequence[Slot]) -> EndpointHealth:
        now, since = standing.now, standing.failing_since
        state = breaker_state(failures=standing.failures, parked_until=standing.parked_until, now=now, breaker=self.breaker)
        summary, backlog = summarize(slots, now), min(standing.backlog, BACKLOG_COUNTED)
        ends_at = None if since is None or not standing.active else since + timedelta(seconds=self.breaker.disable_seconds)
        goes_out = standing.active and state is BreakerState.CLOSED
        return EndpointHealth(
            id=standing.endpoint_id,
            active=standing.active,
            breaker=state,
            failures_in_a_row=standing.failures,
            next_probe_at=_shown(standing.parked_until) if state is BreakerState.OPEN else None,
            failing_since=_shown(since),
            last_success_at=_shown(standing.last_success_at),
            disables_at=_shown(ends_at),
            disables_in_seconds=None if ends_at is None else max(math.ceil((ends_at - now).total_seconds()), 0),
            backlog=backlog,
            backlog_is_longer=standing.backlog > BACKLOG_COUNTED,
            oldest_seconds=None if standing.oldest_at is None else max(int((now - standing.oldest_at).total_seconds()), 0),
            drain_seconds=drain_seconds(backlog, summary.best_per_second) if goes_out else None,
            last_hour=Counts(summary.delivered_hour, summary.failed_hour),
            last_day=Counts(summary.delivered_day, summary.failed_day),
            answer_p50_ms=summary.p50_ms,
            answer_p99_ms=summary.p99_ms,
        )


def _shown(instant: datetime | None) -> str | None:
    return None if instant is None else wire_time(instant)

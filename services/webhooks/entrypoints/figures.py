"""What monitoring sees of deliveries. Neither endpoints nor tenants are labels: there may be any number of them."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from libs.common.kernel.clock import read_instant
from services.webhooks.domain.attempts import Outcome, error_class
from services.webhooks.domain.bodies import read_body
from services.webhooks.domain.deliveries import DeliveryState
from services.webhooks.domain.lanes import LANE_STATES
from services.webhooks.handlers.deliver import Backlog

_TO_SEND_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3_600.0)

ATTEMPTS = Counter("offerhub_webhook_attempts_total", "Delivery attempts, by the state they led to", ["state"])
DELIVERIES = Counter("offerhub_webhook_deliveries_total", "Deliveries that ended, by outcome", ["outcome"])
ANSWERS = Counter("offerhub_webhook_answers_total", "Delivery attempts, by what came back: 2xx … 5xx, timeout, dns …", ["answer"])
CONNECTIONS = Counter("offerhub_webhook_connections_total", "Connections that attempts went over, by kind", ["kind"])
TO_SEND_SECONDS = Histogram(
    "offerhub_webhook_commit_to_send_seconds", "Time from an event to its first attempt", buckets=_TO_SEND_SECONDS
)
POST_SECONDS = Histogram("offerhub_webhook_post_seconds", "Time from sending a delivery to its answer")
IN_FLIGHT = Gauge("offerhub_webhook_in_flight", "Deliveries claimed by this process and not recorded yet")
PENDING = Gauge("offerhub_webhook_pending", "Deliveries that are not finished")
OVERDUE_SECONDS = Gauge("offerhub_webhook_overdue_seconds", "By how much the most overdue delivery is late")
GAP_SECONDS = Gauge("offerhub_event_gap_seconds", "How long the oldest early event has waited for its predecessor")
KEEPING = Counter(
    "offerhub_webhook_keeping_total", "Looks after the days that the log and attempts lie in, by outcome", ["outcome"]
)
OWED = Gauge("offerhub_event_log_owed", "Events older than what is kept, for deliveries that are not finished")
LANES = Gauge("offerhub_webhook_lanes", "Endpoints with deliveries that are not finished, by state of the lane", ["state"])
LANE_OLDEST_SECONDS = Gauge(
    "offerhub_webhook_lane_oldest_seconds", "By how much the oldest delivery of all lanes in a state is late", ["state"]
)


def count(outcomes: Sequence[Outcome]) -> None:
    """Count attempts that have ended."""
    for outcome in outcomes:
        ATTEMPTS.labels(outcome.state).inc()
        if outcome.state != DeliveryState.PENDING:
            DELIVERIES.labels(outcome.state).inc()
        ANSWERS.labels(_answer(outcome)).inc()
        if outcome.connect_ms is not None:
            CONNECTIONS.labels("new").inc()
        elif outcome.status is not None:
            CONNECTIONS.labels("reused").inc()
        if outcome.claimed.attempts == 0:
            _observe_first(outcome)


def show(backlog: Backlog) -> None:
    """Show what is left to do; a state that no lane is in shows zero."""
    DELIVERIES.labels(DeliveryState.CANCELED).inc(backlog.canceled)
    PENDING.set(backlog.pending)
    OVERDUE_SECONDS.set(backlog.overdue_seconds)
    GAP_SECONDS.set(backlog.gap_seconds)
    for state in LANE_STATES:
        lanes, oldest_seconds = backlog.lanes.get(state, (0, 0.0))
        LANES.labels(state).set(lanes)
        LANE_OLDEST_SECONDS.labels(state).set(oldest_seconds)


def _answer(outcome: Outcome) -> str:
    if outcome.status is not None:
        return f"{outcome.status // 100}xx"
    return error_class(outcome.error) or "none"


def _observe_first(outcome: Outcome) -> None:
    happened_at = read_instant(read_body(outcome.claimed.body).created_at)
    if happened_at is not None:
        TO_SEND_SECONDS.observe(max((outcome.started_at - happened_at).total_seconds(), 0.0))

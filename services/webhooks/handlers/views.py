"""Rows in their public form."""

from asyncpg import Record

from libs.common.contracts.replies.webhooks import Delivery, Endpoint, Replay
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from services.webhooks.domain.endpoints import Problem
from services.webhooks.store.delivery_rows import ReplayRow
from services.webhooks.store.endpoint_rows import EndpointRow


def endpoint_view(row: EndpointRow) -> Endpoint:
    """Show an endpoint."""
    return Endpoint(
        id=row.id,
        url=row.url,
        events=row.events,
        active=row.active,
        description=row.description,
        created_at=wire_time(row.created_at),
        updated_at=wire_time(row.updated_at),
        order_mode=row.order_mode,
        max_in_flight=row.max_in_flight,
        max_per_second=row.max_per_second,
        verified_at=None if row.verified_at is None else wire_time(row.verified_at),
    )


def delivery_view(row: Record) -> Delivery:
    """Show a delivery, from a record with its event's id and type; `next_attempt_at` is None unless there will be one."""
    due = row["next_attempt_at"]
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        state=row["state"],
        attempts=row["attempts"],
        last_status=row["last_status"],
        last_error=row["last_error"],
        next_attempt_at=None if due is None else wire_time(due),
        created_at=wire_time(row["created_at"]),
        replay_id=row["replay_id"] or None,
    )


def replay_view(row: ReplayRow) -> Replay:
    """Show a replay."""
    return Replay(
        id=row.id,
        endpoint_id=row.endpoint_id,
        state=row.state,
        from_position=row.from_position,
        to_position=row.to_position,
        events=row.events,
        only=row.only_those,
        per_second=row.per_second,
        cursor=row.cursor,
        enqueued=row.enqueued,
        created_at=wire_time(row.created_at),
        updated_at=wire_time(row.updated_at),
    )


def no_replay(replay_id: str) -> Refusal:
    """Say that this endpoint has no such replay."""
    return Refusal("REPLAY_NOT_FOUND", "The endpoint has no such replay", {"replay_id": replay_id})


def not_allowed(problem: Problem) -> Refusal:
    """Name the field that forbids it."""
    fields = [{"field": problem.field, "message": problem.message}]
    return Refusal("VALIDATION_ERROR", f"{problem.field} {problem.message}", {"fields": fields})


def no_endpoint(endpoint_id: str) -> Refusal:
    """Say that there is no such endpoint."""
    return Refusal("WEBHOOK_NOT_FOUND", "No such webhook endpoint", {"webhook_id": endpoint_id})


def no_delivery(delivery_id: str) -> Refusal:
    """Say that this endpoint has no such delivery."""
    return Refusal("DELIVERY_NOT_FOUND", "The endpoint has no such delivery", {"delivery_id": delivery_id})


def no_event(event_id: str) -> Refusal:
    """Say that the log has no such event."""
    return Refusal("EVENT_NOT_FOUND", "There is no such event in the log", {"event_id": event_id})

"""Rows in their public form."""

from libs.common.contracts.replies.webhooks import Endpoint
from libs.common.kernel.clock import wire_time
from libs.common.kernel.errors import Refusal
from services.webhooks.domain.endpoints import Problem
from services.webhooks.store.rows import EndpointRow


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
    )


def not_allowed(problem: Problem) -> Refusal:
    """Name the field that forbids it."""
    fields = [{"field": problem.field, "message": problem.message}]
    return Refusal("VALIDATION_ERROR", f"{problem.field} {problem.message}", {"fields": fields})


def no_endpoint(endpoint_id: str) -> Refusal:
    """Say that there is no such endpoint."""
    return Refusal("WEBHOOK_NOT_FOUND", "No such webhook endpoint", {"webhook_id": endpoint_id})

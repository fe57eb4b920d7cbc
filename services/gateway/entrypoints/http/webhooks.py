"""Webhook endpoints and their deliveries; the event log."""

from typing import Annotated, Literal

from fastapi import Body, Query

from libs.common.contracts.commands.webhooks import DeleteEndpoint
from libs.common.contracts.queries.webhooks import GetEndpoint, ListDeliveries, ListEndpoints, ListEvents
from libs.common.contracts.replies.common import Done
from libs.common.contracts.replies.webhooks import Delivery, Endpoint, LoggedEvent
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import EventList, Fields, HttpUrl, Limit, Name, Note, PageQuery, Position
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.register_webhook import NewWebhook, RegisteredEndpoint


class NewEndpoint(Fields):
    """A URL and the events it wants: their names, `family.*` or `*`. Without a secret we make one."""

    url: HttpUrl
    events: EventList
    secret: Name | None = None
    description: Note | None = None


class DeliveryQuery(PageQuery):
    """Filters of an endpoint's deliveries."""

    state: Literal["PENDING", "DELIVERED", "EXHAUSTED"] | None = None


class EventQuery(Fields):
    """Where to go on reading the log."""

    limit: Limit = 20
    after: Position = 0


async def create_webhook(call: Calling, body: Annotated[NewEndpoint, Body()]) -> Answer:
    """Register an endpoint. Its signing key, and the secret if we made it, are shown in this answer only."""
    webhooks, tenant = call.use_cases.webhooks, call.tenant
    new = NewWebhook(body.url, tuple(body.events), body.secret, body.description)

    async def run(command_id: str) -> Answer:
        return await webhooks.register(new, tenant=tenant, command_id=command_id)

    return await call.once(run, window=DAY, storable=False)


async def list_webhooks(call: Calling, query: Annotated[PageQuery, Query()]) -> Answer:
    """List endpoints, newest first."""
    return await call.ask_page("webhooks", ListEndpoints(query.limit, query.cursor))


async def get_webhook(call: Calling, webhook_id: str) -> Answer:
    """Get an endpoint; never its secret."""
    return await call.ask("webhooks", GetEndpoint(webhook_id))


async def delete_webhook(call: Calling, webhook_id: str) -> Answer:
    """Stop deliveries to an endpoint for good."""
    return await call.submit("webhooks", lambda _: DeleteEndpoint(webhook_id))


async def list_deliveries(call: Calling, webhook_id: str, query: Annotated[DeliveryQuery, Query()]) -> Answer:
    """List an endpoint's deliveries, newest first."""
    return await call.ask_page("webhooks", ListDeliveries(webhook_id, query.limit, query.cursor, query.state))


async def list_events(call: Calling, query: Annotated[EventQuery, Query()]) -> Answer:
    """Read the event log, oldest first, after a position."""
    return await call.ask_page("webhooks", ListEvents(query.limit, query.after))


OPERATIONS = (
    Operation("POST", "/webhooks", create_webhook, Scope.WRITE, RegisteredEndpoint, status=201),
    Operation("GET", "/webhooks", list_webhooks, Scope.READ, Endpoint, is_list=True),
    Operation("GET", "/webhooks/{webhook_id}", get_webhook, Scope.READ, Endpoint),
    Operation("DELETE", "/webhooks/{webhook_id}", delete_webhook, Scope.WRITE, Done),
    Operation("GET", "/webhooks/{webhook_id}/deliveries", list_deliveries, Scope.READ, Delivery, is_list=True),
    Operation("GET", "/events", list_events, Scope.READ, LoggedEvent, is_list=True),
)

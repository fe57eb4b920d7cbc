"""Webhook endpoints."""

from typing import Annotated

from fastapi import Body, Query
from pydantic import Field

from libs.common.contracts.commands.webhooks import DeleteEndpoint, SendTestEvent, UpdateEndpoint
from libs.common.contracts.queries.webhooks import GetEndpoint, GetHealth, ListEndpoints
from libs.common.contracts.replies.common import Done
from libs.common.contracts.replies.webhooks import Endpoint, EndpointHealth, OrderMode, SentTest
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import DAY
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import (
    LEFT_OUT,
    WHOLE,
    EventList,
    Fields,
    HttpUrl,
    Note,
    PageQuery,
    SecretText,
    example,
)
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.handlers.register_webhook import NewSecret, NewWebhook, RegisteredEndpoint, RotatedSecret

InFlight = Annotated[int, Field(ge=1, le=64), WHOLE]
PerSecond = Annotated[int, Field(ge=1, le=1_000), WHOLE]


class NewEndpoint(Fields):
    """A URL and the events it wants."""

    model_config = example(
        url="https://your-app.com/webhooks",
        events=["escrow.*", "order.closed"],
        secret="your-webhook-secret",  # noqa: S106 - an example
    )

    url: HttpUrl
    """Where events are posted. It must be https unless the deployment allows private networks."""
    events: EventList
    """Names of events, `family.*` or `*`."""
    secret: SecretText | None = None
    """What deliveries are signed with; without one we make it."""
    description: Note | None = None
    order_mode: OrderMode = "parallel"
    """`parallel` sends what is due, in any order. `per_aggregate` sends the events of one order, user or the like one at a time
    and in sequence, `fifo` all events one at a time in the order of the log; what fails holds back what comes after it until it
    is delivered or given up."""
    max_in_flight: InFlight | None = None
    """At most so many deliveries under way at once."""
    max_per_second: PerSecond | None = None
    """At most so many deliveries begun in a second."""


class EndpointChange(Fields):
    """What is to change of an endpoint; what is left out stays as it is."""

    model_config = example(events=["escrow.*"], active=True)

    url: Annotated[HttpUrl, LEFT_OUT]
    events: Annotated[EventList, LEFT_OUT]
    """Names of events, `family.*` or `*`; they replace those that are there."""
    description: Annotated[Note | None, LEFT_OUT]
    """Null removes it."""
    active: Annotated[bool, LEFT_OUT]
    """While this is false nothing is delivered; events gather, and are delivered once it is true again."""
    order_mode: Annotated[OrderMode, LEFT_OUT]
    """For up to half a minute nothing is sent, so that what is under way ends before the new order begins."""
    max_in_flight: Annotated[InFlight | None, LEFT_OUT]
    """Null removes it."""
    max_per_second: Annotated[PerSecond | None, LEFT_OUT]
    """Null removes it."""


class SecretChange(Fields):
    """How an endpoint gets another secret."""

    model_config = example(overlap_seconds=86_400)

    secret: SecretText | None = None
    """The new secret; without one we make it."""
    stage_seconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 0
    """For so long the new secret only signs beside the old one, whose signature stays the first."""
    overlap_seconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 86_400
    """For so long after that the old secret signs beside the new one."""


async def create_webhook(call: Calling, body: Annotated[NewEndpoint, Body()]) -> Answer:
    """Register a webhook endpoint.

    Events are posted to its URL, each signed with the endpoint's secret. `signing_key` is that secret as Standard
    Webhooks verifiers read it. It, and the `secret` if we made it, are shown in this answer only.
    """
    webhooks, tenant = call.use_cases.webhooks, call.tenant
    new = NewWebhook(
        body.url,
        tuple(body.events),
        body.secret,
        body.description,
        body.order_mode,
        body.max_in_flight,
        body.max_per_second,
    )

    async def run(command_id: str) -> Answer:
        return await webhooks.register(new, tenant=tenant, command_id=command_id)

    return await call.once(run, window=DAY, storable=False, service="webhooks")


async def list_webhooks(call: Calling, query: Annotated[PageQuery, Query()]) -> Answer:
    """List webhook endpoints.

    Newest first; never their secrets.
    """
    return await call.ask_page("webhooks", ListEndpoints(query.limit, query.cursor))


async def get_webhook(call: Calling, webhook_id: str) -> Answer:
    """Get a webhook endpoint.

    Never its secret.
    """
    return await call.ask("webhooks", GetEndpoint(webhook_id))


async def get_webhook_health(call: Calling, webhook_id: str) -> Answer:
    """Get the health of a webhook endpoint.

    Whether it is delivered to, how much waits for it and for how long, when it is tried next, when it will be deactivated, and
    how quickly it has answered of late.
    """
    return await call.ask("webhooks", GetHealth(webhook_id))


async def update_webhook(call: Calling, webhook_id: str, body: Annotated[EndpointChange, Body()]) -> Answer:
    """Change a webhook endpoint.

    Only what is given is changed; what is on its way goes to the new URL. A change that changes nothing is no error, and
    no event.
    """
    given = body.given
    if "events" in given:
        given["events"] = tuple(given["events"])
    return await call.submit("webhooks", lambda _: UpdateEndpoint(webhook_id, **given))


async def test_webhook(call: Calling, webhook_id: str) -> Answer:
    """Send a test event.

    A `webhook.test`, signed like any other event, goes to this endpoint alone, whatever it subscribes to, and is tried
    once. The answer names the delivery: look there for what became of it.
    """
    return await call.submit("webhooks", lambda _: SendTestEvent(webhook_id))


async def rotate_webhook_secret(call: Calling, webhook_id: str, body: Annotated[SecretChange, Body()]) -> Answer:
    """Rotate an endpoint's secret.

    While both secrets are good every delivery carries the signatures of both in `webhook-signature`.
    `X-OfferHub-Signature` has room for one: that of the old secret until `signs_from`, that of the new one from then on.
    """
    webhooks, tenant = call.use_cases.webhooks, call.tenant
    new = NewSecret(webhook_id, body.secret, body.overlap_seconds, body.stage_seconds)

    async def run(command_id: str) -> Answer:
        return await webhooks.rotate(new, tenant=tenant, command_id=command_id)

    return await call.once(run, window=DAY, storable=False, service="webhooks")


async def delete_webhook(call: Calling, webhook_id: str) -> Answer:
    """Delete a webhook endpoint.

    Deliveries to it stop for good.
    """
    return await call.submit("webhooks", lambda _: DeleteEndpoint(webhook_id))


OPERATIONS = (
    Operation("POST", "/webhooks", create_webhook, Scope.WRITE, RegisteredEndpoint, status=201, codes=("INVALID_STATE",)),
    Operation("GET", "/webhooks", list_webhooks, Scope.READ, Endpoint, is_list=True),
    Operation("GET", "/webhooks/{webhook_id}", get_webhook, Scope.READ, Endpoint),
    Operation("GET", "/webhooks/{webhook_id}/health", get_webhook_health, Scope.READ, EndpointHealth),
    Operation("PATCH", "/webhooks/{webhook_id}", update_webhook, Scope.WRITE, Endpoint),
    Operation(
        "POST", "/webhooks/{webhook_id}/test", test_webhook, Scope.WRITE, SentTest, status=201, codes=("INVALID_STATE",)
    ),
    Operation(
        "POST", "/webhooks/{webhook_id}/rotate-secret", rotate_webhook_secret, Scope.WRITE, RotatedSecret, status=201,
        codes=("INVALID_STATE",),
    ),
    Operation("DELETE", "/webhooks/{webhook_id}", delete_webhook, Scope.WRITE, Done, shown={"id": "wh_01ABCDEF"}),
)  # fmt: skip

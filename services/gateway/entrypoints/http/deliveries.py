"""Deliveries of a webhook endpoint: what became of each event that it asked for."""

from typing import Annotated

from fastapi import Query

from libs.common.contracts.commands.webhooks import ResendDelivery
from libs.common.contracts.queries.webhooks import GetDelivery, GetEvidence, ListDeliveries
from libs.common.contracts.replies.webhooks import Delivery, DeliveryEvidence, DeliveryState, DeliveryWithAttempts, ResentDelivery
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import PageQuery
from services.gateway.entrypoints.http.routing import Operation


class DeliveryQuery(PageQuery):
    """Filters of an endpoint's deliveries."""

    state: DeliveryState | None = None
    """Only those that stand here."""


async def list_deliveries(call: Calling, webhook_id: str, query: Annotated[DeliveryQuery, Query()]) -> Answer:
    """List an endpoint's deliveries.

    Newest first: which event is on its way or has arrived, after how many attempts, and what the endpoint said last.
    """
    return await call.ask_page("webhooks", ListDeliveries(webhook_id, query.limit, query.cursor, query.state))


async def get_delivery(call: Calling, webhook_id: str, delivery_id: str) -> Answer:
    """Get a delivery and its attempts.

    Each attempt with its time, how long it and its connecting took, and the status with the first KiB of the answer, or what
    kept an answer away. Of more than a hundred attempts the last hundred are shown.
    """
    return await call.ask("webhooks", GetDelivery(webhook_id, delivery_id))


async def get_delivery_evidence(call: Calling, webhook_id: str, delivery_id: str) -> Answer:
    """Get the evidence of a delivery.

    What proves to whoever has the endpoint's secret what was sent and when: the exact bytes of the body, the headers of each
    attempt with its time and signatures, which secrets made them (never the secrets), what was answered, and the event's place
    in the log.
    """
    return await call.ask("webhooks", GetEvidence(webhook_id, delivery_id))


async def resend_delivery(call: Calling, webhook_id: str, delivery_id: str) -> Answer:
    """Send a delivery again.

    At once, whatever became of it, also when it was delivered or given up: with the same `webhook-id`, so that a receiver that
    has it already can drop it. What fails is tried again as often as anything new. An endpoint that is not active gets
    nothing: activate it first.
    """
    return await call.submit("webhooks", lambda _: ResendDelivery(webhook_id, delivery_id))


_ONE = "/webhooks/{webhook_id}/deliveries/{delivery_id}"
OPERATIONS = (
    Operation("GET", "/webhooks/{webhook_id}/deliveries", list_deliveries, Scope.READ, Delivery, is_list=True),
    Operation("GET", _ONE, get_delivery, Scope.READ, DeliveryWithAttempts),
    Operation("GET", f"{_ONE}/evidence", get_delivery_evidence, Scope.SUPPORT, DeliveryEvidence),
    Operation("POST", f"{_ONE}/resend", resend_delivery, Scope.WRITE, ResentDelivery, codes=("INVALID_STATE",)),
)

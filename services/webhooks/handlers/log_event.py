"""Append an event to its tenant's log in sequence, and make a delivery for each endpoint that asked for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from libs.common.contracts.envelope import Event
from libs.common.contracts.events.webhooks import EndpointTest
from libs.common.messaging.use_cases import Context, Decision
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.bodies import EventBody, read_body, write_body
from services.webhooks.domain.deliveries import DELIVERIES as STATES
from services.webhooks.domain.event_filters import TEST, wants
from services.webhooks.store.delivery_rows import DELIVERIES, DeliveryRow
from services.webhooks.store.endpoint_rows import SUBSCRIPTIONS, SubscriptionRow
from services.webhooks.store.log_rows import (
    EVENT_LOG,
    EVENT_LOG_NAME,
    GAPS,
    LOG_HEADS,
    STREAMS,
    EventRow,
    GapRow,
    LogHeadRow,
    StreamRow,
)

_tests: Final = msgspec.json.Decoder(EndpointTest)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """The use case of one event type; all of them do the same."""

    type: str

    def needs(self, message: Event, context: Context) -> Needs:
        """Lock the tenant's log, and see how far the aggregate has come and who subscribes."""
        tenant = context.tenant
        stream = (tenant, message.aggregate)
        return Needs(
            rows=((LOG_HEADS, (tenant, EVENT_LOG_NAME)), (STREAMS, stream)),
            under=((GAPS, stream), (SUBSCRIPTIONS, (tenant,))),
            new=((LOG_HEADS, LogHeadRow(tenant, EVENT_LOG_NAME, 0)),),
        )

    def decide(self, state: State, message: Event, context: Context) -> Decision:
        """Log it with all that waited for it, let it wait for its predecessor, or drop it as known."""
        tenant, aggregate, sequence = context.tenant, message.aggregate, message.sequence
        stream = state.get(STREAMS, (tenant, aggregate)) or StreamRow(tenant, aggregate, 0)
        if sequence <= stream.sequence or state.get(GAPS, (tenant, aggregate, sequence)) is not None:
            return Decision()
        arrival = self._arrival(message, context)
        if sequence > stream.sequence + 1:
            return Decision(rows=((GAPS, arrival),))
        waited = list(_followers(state, arrival))
        head = state.get(LOG_HEADS, (tenant, EVENT_LOG_NAME)) or LogHeadRow(tenant, EVENT_LOG_NAME, 0)
        events = [_event(gap, position, context) for position, gap in enumerate((arrival, *waited), head.position + 1)]
        subscriptions = state.under(SUBSCRIPTIONS, (tenant,))
        return Decision(
            rows=(
                (LOG_HEADS, LogHeadRow(tenant, EVENT_LOG_NAME, events[-1].position)),
                (STREAMS, StreamRow(tenant, aggregate, events[-1].sequence)),
                *((EVENT_LOG, event) for event in events),
                *((DELIVERIES, row) for event in events for row in _deliveries(event, subscriptions, context)),
            ),
            removed=tuple((GAPS, GAPS.key_of(gap)) for gap in waited),
        )

    def _arrival(self, message: Event, context: Context) -> GapRow:
        body = EventBody(context.message_id, self.type, message.occurred_at, message.sequence, message.data)
        return GapRow(
            context.tenant,
            message.aggregate,
            message.sequence,
            context.message_id,
            self.type,
            message.user_ids,
            write_body(body),
            context.now,
        )


def _followers(state: State, arrival: GapRow) -> Iterator[GapRow]:
    sequence = arrival.sequence + 1
    while (gap := state.get(GAPS, (arrival.tenant, arrival.aggregate, sequence))) is not None:
        yield gap
        sequence += 1


def _event(gap: GapRow, position: int, context: Context) -> EventRow:
    return EventRow(gap.tenant, position, gap.id, gap.type, gap.aggregate, gap.sequence, gap.user_ids, gap.body, context.now)


def _deliveries(event: EventRow, subscriptions: list[SubscriptionRow], context: Context) -> Iterator[DeliveryRow]:
    for endpoint in subscriptions:
        if wants(endpoint_id=endpoint.id, filters=endpoint.events, event_type=event.type, aggregate=event.aggregate):
            yield DeliveryRow(
                tenant=event.tenant,
                endpoint_id=endpoint.id,
                id=_tests.decode(read_body(event.body).data).delivery_id if event.type == TEST else context.new_id("whd"),
                position=event.position,
                state=STATES.start,
                attempts=0,
                next_attempt_at=context.now,
                last_status=None,
                last_error=None,
                lease_token=None,
                lease_until=None,
                created_at=context.now,
                aggregate=event.aggregate,
                logged_at=event.logged_at,
            )

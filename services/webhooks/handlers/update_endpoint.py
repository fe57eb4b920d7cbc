"""Change an endpoint: where it is, what it wants, or whether it is delivered to for now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from libs.common.contracts.commands.webhooks import UpdateEndpoint
from libs.common.contracts.events.webhooks import EndpointEvent
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.endpoints import Problem, description_problem, filters_problem, pace_problem
from services.webhooks.domain.event_filters import aggregate_of
from services.webhooks.handlers.gates import changed_gate
from services.webhooks.handlers.views import endpoint_view, no_endpoint, not_allowed
from services.webhooks.store.endpoint_rows import ENDPOINTS, LANES, SUBSCRIPTIONS, EndpointRow, SubscriptionRow
from services.webhooks.store.gates import GATES


@dataclass(frozen=True, slots=True)
class UpdateEndpointUseCase:
    """Judges a URL as whoever registers one does; `lease` is how long a delivery may be under way."""

    url_problem: Callable[[str], Problem | None]
    lease: timedelta

    def needs(self, message: UpdateEndpoint, context: Context) -> Needs:
        """Lock the endpoint, and see its lane and its gate."""
        key = (context.tenant, message.endpoint_id)
        return Needs(rows=((ENDPOINTS, key), (LANES, key), (GATES, key)))

    def decide(self, state: State, message: UpdateEndpoint, context: Context) -> Decision:
        """Make the changes that are any; an endpoint that is as it should be stays, and nobody hears of it."""
        endpoint = state.get(ENDPOINTS, (context.tenant, message.endpoint_id))
        if endpoint is None:
            return Decision(reply=no_endpoint(message.endpoint_id))
        problem = self._problem(message)
        if problem is not None:
            return Decision(reply=not_allowed(problem))
        changed = msgspec.structs.replace(
            endpoint,
            url=message.url or endpoint.url,
            verified_at=endpoint.verified_at if message.url in (None, endpoint.url) else None,
            events=endpoint.events if message.events is None else tuple(dict.fromkeys(message.events)),
            description=endpoint.description if message.description is msgspec.UNSET else message.description,
            active=endpoint.active if message.active is None else message.active,
            order_mode=message.order_mode or endpoint.order_mode,
            max_in_flight=endpoint.max_in_flight if message.max_in_flight is msgspec.UNSET else message.max_in_flight,
            max_per_second=endpoint.max_per_second if message.max_per_second is msgspec.UNSET else message.max_per_second,
        )
        if changed == endpoint:
            return Decision(reply=endpoint_view(endpoint))
        changed = msgspec.structs.replace(changed, sequence=endpoint.sequence + 1, updated_at=context.now)
        event = EndpointEvent(changed.id, changed.url)
        gate = state.get(GATES, (context.tenant, changed.id))
        return Decision(
            reply=endpoint_view(changed),
            rows=(
                (ENDPOINTS, changed),
                (SUBSCRIPTIONS, SubscriptionRow(changed.tenant, changed.id, changed.events)),
                *changed_gate(gate, endpoint, changed, now=context.now, lease=self.lease),
            ),
            events=(Announce("webhook.updated", aggregate_of(changed.id), changed.sequence, event),),
            removed=((LANES, (changed.tenant, changed.id)),) if _begins_anew(endpoint, changed) else (),
            before=endpoint_view(endpoint),
        )

    def _problem(self, message: UpdateEndpoint) -> Problem | None:
        description = None if message.description is msgspec.UNSET else message.description
        return (
            (None if message.url is None else self.url_problem(message.url))
            or (None if message.events is None else filters_problem(message.events))
            or description_problem(description)
            or pace_problem(
                order_mode=message.order_mode,
                max_in_flight=None if message.max_in_flight is msgspec.UNSET else message.max_in_flight,
                max_per_second=None if message.max_per_second is msgspec.UNSET else message.max_per_second,
            )
        )


def _begins_anew(before: EndpointRow, after: EndpointRow) -> bool:
    """Tell whether what the receiver did until now says nothing about what it will do."""
    return before.url != after.url or (after.active and not before.active)

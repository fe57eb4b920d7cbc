"""Delete an endpoint, its secrets and its replays; what was on its way to it is canceled by the dispatcher."""

from libs.common.contracts.commands.webhooks import DeleteEndpoint
from libs.common.contracts.events.webhooks import EndpointEvent
from libs.common.contracts.replies.common import Done
from libs.common.messaging.use_cases import Announce, Context, Decision
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.event_filters import aggregate_of
from services.webhooks.handlers.views import endpoint_view, no_endpoint
from services.webhooks.store.delivery_rows import REPLAYS
from services.webhooks.store.endpoint_rows import ENDPOINTS, LANES, SECRETS, SUBSCRIPTIONS
from services.webhooks.store.gates import GATES


def needs(message: DeleteEndpoint, context: Context) -> Needs:
    """Lock the endpoint and see its secrets and replays."""
    key = (context.tenant, message.endpoint_id)
    return Needs(rows=((ENDPOINTS, key), (LANES, key), (GATES, key)), under=((SECRETS, key), (REPLAYS, key)))


def decide(state: State, message: DeleteEndpoint, context: Context) -> Decision:
    """Delete it, or say that it is not there."""
    key = (context.tenant, message.endpoint_id)
    endpoint = state.get(ENDPOINTS, key)
    if endpoint is None:
        return Decision(reply=no_endpoint(message.endpoint_id))
    event = EndpointEvent(endpoint.id, endpoint.url)
    return Decision(
        reply=Done(endpoint.id),
        removed=(
            (ENDPOINTS, key),
            (LANES, key),
            (GATES, key),
            (SUBSCRIPTIONS, key),
            *((SECRETS, SECRETS.key_of(secret)) for secret in state.under(SECRETS, key)),
            *((REPLAYS, REPLAYS.key_of(replay)) for replay in state.under(REPLAYS, key)),
        ),
        events=(Announce("webhook.deleted", aggregate_of(endpoint.id), endpoint.sequence + 1, event),),
        before=endpoint_view(endpoint),
    )

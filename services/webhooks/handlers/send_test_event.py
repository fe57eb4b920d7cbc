"""Let an endpoint see a delivery: a real event, logged and signed like any other, that goes to it alone and is tried once."""

import msgspec

from libs.common.contracts.commands.webhooks import SendTestEvent
from libs.common.contracts.events.webhooks import EndpointTest
from libs.common.contracts.replies.webhooks import SentTest
from libs.common.kernel.ids import sibling_id
from libs.common.messaging.use_cases import Announce, Context, Decision, refuse
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.event_filters import TEST, aggregate_of
from services.webhooks.handlers.views import no_endpoint
from services.webhooks.store.endpoint_rows import ENDPOINTS


def needs(message: SendTestEvent, context: Context) -> Needs:
    """Lock the endpoint, whose events are numbered."""
    return Needs(rows=((ENDPOINTS, (context.tenant, message.endpoint_id)),))


def decide(state: State, message: SendTestEvent, context: Context) -> Decision:
    """Announce the test, and say which delivery it will be."""
    endpoint = state.get(ENDPOINTS, (context.tenant, message.endpoint_id))
    if endpoint is None:
        return Decision(reply=no_endpoint(message.endpoint_id))
    if not endpoint.active:
        return refuse("INVALID_STATE", "Nothing is delivered to an endpoint that is not active", current_state="INACTIVE")
    delivery_id = sibling_id("whd", context.message_id)
    changed = msgspec.structs.replace(endpoint, sequence=endpoint.sequence + 1)
    event = EndpointTest(endpoint.id, endpoint.url, delivery_id)
    return Decision(
        reply=SentTest(delivery_id, endpoint.id),
        rows=((ENDPOINTS, changed),),
        events=(Announce(TEST, aggregate_of(endpoint.id), changed.sequence, event),),
    )

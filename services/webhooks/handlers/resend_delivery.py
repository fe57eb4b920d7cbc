"""Send a delivery again at once, whatever became of it: the same event and id, and attempts on a schedule that begins anew."""

import msgspec

from libs.common.contracts.commands.webhooks import ResendDelivery
from libs.common.contracts.replies.webhooks import ResentDelivery
from libs.common.messaging.use_cases import Context, Decision, refuse, row
from libs.common.persistence.state import Needs, State
from services.webhooks.domain.deliveries import DELIVERIES as STATES
from services.webhooks.domain.deliveries import DeliveryAction, DeliveryState
from services.webhooks.handlers.views import no_delivery, no_endpoint
from services.webhooks.store.delivery_rows import RESENDS, ResendRow
from services.webhooks.store.endpoint_rows import PARKINGS, SWITCHES, ParkingRow


def needs(message: ResendDelivery, context: Context) -> Needs:
    """Lock the delivery and its lane; see whether its endpoint is delivered to."""
    key = (context.tenant, message.endpoint_id)
    return Needs(rows=((SWITCHES, key), (RESENDS, (*key, message.delivery_id)), (PARKINGS, key)))


def decide(state: State, message: ResendDelivery, context: Context) -> Decision:
    """Make it due, and let its lane try at once even if it is parked; or say why nothing can be sent."""
    key = (context.tenant, message.endpoint_id)
    endpoint, delivery = state.get(SWITCHES, key), state.get(RESENDS, (*key, message.delivery_id))
    if endpoint is None:
        return Decision(reply=no_endpoint(message.endpoint_id))
    if delivery is None:
        return Decision(reply=no_delivery(message.delivery_id))
    if not endpoint.active:
        return refuse("INVALID_STATE", "The endpoint is not active: activate it first", current_state="INACTIVE")
    parking = state.get(PARKINGS, key)
    lane = () if parking is None else (row(PARKINGS, ParkingRow(*key, None)),)
    changed, attempt = _sent_again(delivery, context)
    return Decision(reply=ResentDelivery(delivery.id, delivery.endpoint_id, attempt), rows=(row(RESENDS, changed), *lane))


def _sent_again(delivery: ResendRow, context: Context) -> tuple[ResendRow, int]:
    """Return the delivery, and the number that its next attempt will have."""
    is_under_way = delivery.lease_until is not None and delivery.lease_until > context.now
    if is_under_way and delivery.state == DeliveryState.PENDING:
        return msgspec.structs.replace(delivery, again=True), delivery.attempts + 2
    changed = msgspec.structs.replace(
        delivery,
        state=STATES.table[DeliveryState(delivery.state), DeliveryAction.RESEND],
        base_attempts=delivery.attempts,
        again=False,
        next_attempt_at=context.now,
        lease_token=None,
        lease_until=None,
    )
    return changed, delivery.attempts + 1

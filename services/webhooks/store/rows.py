"""The tables of the webhooks service in the order in which its transactions touch them."""

from typing import Final

from services.webhooks.store.delivery_rows import DELIVERIES, REPLAYS, RESENDS
from services.webhooks.store.endpoint_rows import ENDPOINTS, LANES, PARKINGS, SECRETS, SUBSCRIPTIONS, SWITCHES
from services.webhooks.store.gates import GATES
from services.webhooks.store.log_rows import EVENT_LOG, FLOORS, GAPS, HEADS, LOG_HEADS, STREAMS

LOCK_ORDER: Final = (
    LOG_HEADS,
    ENDPOINTS,
    SUBSCRIPTIONS,
    SWITCHES,
    HEADS,
    FLOORS,
    REPLAYS,
    STREAMS,
    GAPS,
    EVENT_LOG,
    SECRETS,
    DELIVERIES,
    RESENDS,
    LANES,
    PARKINGS,
    GATES,
)
"""Every transaction touches the tables in this order, so no two wait for each other."""

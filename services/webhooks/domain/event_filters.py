"""Which events an endpoint gets."""

from typing import Final

from libs.common.contracts.event_filters import asks_for

EXHAUSTED: Final = "webhook.exhausted"
DISABLED: Final = "webhook.disabled"
TEST: Final = "webhook.test"


def aggregate_of(endpoint_id: str) -> str:
    """Name the aggregate of an endpoint's own events."""
    return f"webhook:{endpoint_id}"


def wants(*, endpoint_id: str, filters: tuple[str, ...], event_type: str, aggregate: str) -> bool:
    """Tell whether an endpoint gets an event.

    That it can't be reached is news to every endpoint but itself; a test is for itself alone, whatever it subscribes to.
    """
    if event_type == TEST:
        return aggregate == aggregate_of(endpoint_id)
    if event_type in (EXHAUSTED, DISABLED) and aggregate == aggregate_of(endpoint_id):
        return False
    return asks_for(filters, event_type)

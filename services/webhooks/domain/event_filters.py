"""Which events a subscriber asked for: catalogue names, `family.*`, or `*`."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from libs.common.contracts.catalog import EVENTS

ALL: Final = "*"
EXHAUSTED: Final = "webhook.exhausted"
_KNOWN: Final = frozenset(EVENTS) | {f"{name.split('.', 1)[0]}.*" for name in EVENTS} | {ALL}


def unknown_filters(filters: Iterable[str]) -> list[str]:
    """List the filters that name no event."""
    return [name for name in filters if name not in _KNOWN]


@lru_cache(maxsize=65_536)
def asks_for(filters: tuple[str, ...], event_type: str) -> bool:
    """Tell whether one of the filters covers the event type."""
    return not {ALL, event_type, f"{event_type.split('.', 1)[0]}.*"}.isdisjoint(filters)


def aggregate_of(endpoint_id: str) -> str:
    """Name the aggregate of an endpoint's own events."""
    return f"webhook:{endpoint_id}"


def wants(*, endpoint_id: str, filters: tuple[str, ...], event_type: str, aggregate: str) -> bool:
    """Tell whether an endpoint gets an event; that it can't be reached is news to every endpoint but itself."""
    if event_type == EXHAUSTED and aggregate == aggregate_of(endpoint_id):
        return False
    return asks_for(filters, event_type)

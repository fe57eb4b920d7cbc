"""Which events a subscriber asked for: catalogue names, `family.*`, or `*`."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from libs.common.contracts.catalog import EVENTS

ALL: Final = "*"
_KNOWN: Final = frozenset(EVENTS) | {f"{name.split('.', 1)[0]}.*" for name in EVENTS} | {ALL}


def nearest(name: str) -> str | None:
    """Name the event that was probably meant."""
    found = get_close_matches(name.lower(), _KNOWN, n=1)
    return found[0] if found else None


def unknown_filters(filters: Iterable[str]) -> list[str]:
    """List the filters that name no event."""
    return [name for name in filters if name not in _KNOWN]


@lru_cache(maxsize=65_536)
def asks_for(filters: tuple[str, ...], event_type: str) -> bool:
    """Tell whether one of the filters covers the event type."""
    return not {ALL, event_type, f"{event_type.split('.', 1)[0]}.*"}.isdisjoint(filters)

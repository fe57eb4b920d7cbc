"""What an endpoint may be registered with."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from services.webhooks.domain.event_filters import unknown_filters

ENDPOINTS_MAX: Final = 100
"""Of one tenant: each logged event is compared with all of them."""
URL_LENGTH_MAX: Final = 2_048
FILTERS_MAX: Final = 100
DESCRIPTION_LENGTH_MAX: Final = 500
_VISIBLE_ASCII: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field."""

    field: str
    message: str


def url_problem(url: str, *, allow_private: bool) -> Problem | None:
    """Say why a URL can't be delivered to, or None when it can; plain http is for private networks only."""
    if len(url) > URL_LENGTH_MAX or _VISIBLE_ASCII.fullmatch(url) is None:
        return Problem("url", f"must be visible ASCII of at most {URL_LENGTH_MAX} characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return Problem("url", "is not a URL")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return Problem("url", "must be an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        return Problem("url", "must not contain credentials")
    if parts.scheme == "http" and not allow_private:
        return Problem("url", "must be https")
    return None


def filters_problem(filters: tuple[str, ...]) -> Problem | None:
    """Say why these can't be an endpoint's event filters, or None when they can."""
    if not 0 < len(filters) <= FILTERS_MAX:
        return Problem("events", f"must name 1 to {FILTERS_MAX} events")
    unknown = unknown_filters(filters)
    if unknown:
        return Problem("events", f"unknown event: {unknown[0][:100]}")
    return None


def description_problem(description: str | None) -> Problem | None:
    """Say why a text can't be a description, or None when it can."""
    if description is not None and len(description) > DESCRIPTION_LENGTH_MAX:
        return Problem("description", f"must have at most {DESCRIPTION_LENGTH_MAX} characters")
    return None

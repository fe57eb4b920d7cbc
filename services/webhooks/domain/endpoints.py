"""What an endpoint may be registered with."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from libs.common.contracts.event_filters import nearest, unknown_filters
from services.webhooks.domain.addresses import is_literal, is_odd_number, is_public

ENDPOINTS_MAX: Final = 100
"""Of one tenant: each logged event is compared with all of them."""
URL_LENGTH_MAX: Final = 2_048
FILTERS_MAX: Final = 100
DESCRIPTION_LENGTH_MAX: Final = 500
_URL_CHARACTERS: Final = re.compile(r"[^:]+://(?:\[[^]]*\])?(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
"""RFC 3986 without the fragment, which is never sent."""
PARALLEL: Final = "parallel"
ORDER_MODES: Final = (PARALLEL, "per_aggregate", "fifo")
"""In what order an endpoint gets its deliveries: as they come, one at a time of each aggregate, or one at a time of all."""
IN_FLIGHT_MAX: Final = 64
PER_SECOND_MAX: Final = 1_000
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?|[0-9a-f:.]+", re.ASCII)
_SECURE_PORT: Final = 443
_FREE_PORTS: Final = range(1_024, 65_536)
NOT_PUBLIC: Final = "leads to an address that is not on the public Internet"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field."""

    field: str
    message: str


def url_problem(url: str, *, allow_private: bool) -> Problem | None:
    """Say why a URL can't be delivered to, or None when it can as far as one sees without resolving its host.

    Plain http, system ports and addresses that are not public are for private networks only.
    """
    if len(url) > URL_LENGTH_MAX or _URL_CHARACTERS.fullmatch(url) is None:
        return Problem(
            "url", f"must be a URL without a fragment, of at most {URL_LENGTH_MAX} characters; write any others as %XX"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return Problem("url", "is not a URL")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return Problem("url", "must be an http or https URL with a host")
    if "@" in parts.netloc:
        return Problem("url", "must not contain credentials")
    if _HOST.fullmatch(host) is None or is_odd_number(host):
        return Problem("url", "must name its host by a name or by an address in its usual form")
    return None if allow_private else _public_problem(parts.scheme, host, port)


def _public_problem(scheme: str, host: str, port: int | None) -> Problem | None:
    if scheme == "http":
        return Problem("url", "must be https")
    if port is not None and port != _SECURE_PORT and port not in _FREE_PORTS:
        return Problem("url", f"must use port {_SECURE_PORT} or one from {_FREE_PORTS.start} on")
    if is_literal(host) and not is_public(host):
        return Problem("url", NOT_PUBLIC)
    return None


def filters_problem(filters: tuple[str, ...]) -> Problem | None:
    """Say why these can't be an endpoint's event filters, or None when they can."""
    if not 0 < len(filters) <= FILTERS_MAX:
        return Problem("events", f"must name 1 to {FILTERS_MAX} events")
    unknown = unknown_filters(filters)
    if unknown:
        name = unknown[0][:100]
        meant = nearest(name)
        return Problem("events", f"unknown event: {name}{f'; did you mean {meant}?' if meant else ''}")
    return None


def pace_problem(*, order_mode: str | None, max_in_flight: int | None, max_per_second: int | None) -> Problem | None:
    """Say why an endpoint can't be delivered to in this order and at this pace, or None when it can; None stands for not said."""
    if order_mode is not None and order_mode not in ORDER_MODES:
        return Problem("order_mode", f"must be one of {', '.join(ORDER_MODES)}")
    for name, value, most in (
        ("max_in_flight", max_in_flight, IN_FLIGHT_MAX),
        ("max_per_second", max_per_second, PER_SECOND_MAX),
    ):
        if value is not None and not 1 <= value <= most:
            return Problem(name, f"must be a whole number from 1 to {most}, or null for no limit of the endpoint's own")
    return None


def description_problem(description: str | None) -> Problem | None:
    """Say why a text can't be a description, or None when it can."""
    if description is not None and len(description) > DESCRIPTION_LENGTH_MAX:
        return Problem("description", f"must have at most {DESCRIPTION_LENGTH_MAX} characters")
    return None

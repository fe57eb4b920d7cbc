"""What anybody may ask: health and configuration."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from libs.common.contracts.replies.kinds import Instant
from libs.common.kernel.clock import wire_time
from services.gateway.clients.attempts import FAILURES
from services.gateway.clients.rate_limits import RateLimits
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.documents import BODY_BYTES_MAX
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import PAGE_DEFAULT
from services.gateway.entrypoints.http.routing import Operation
from services.gateway.entrypoints.http.values import PAGE_MAX
from services.gateway.handlers.health import Checks, Dependency

VERSION: Final = "0.1.0"
"""Of the product."""
API_VERSION: Final = "1.0.0"
"""Of the API: its first number is the one in the paths, and within it nothing breaks."""


class Health(msgspec.Struct, frozen=True):
    """Whether the gateway can do its work now: `healthy` or `unhealthy`."""

    status: Literal["healthy", "unhealthy"]
    version: str
    timestamp: Instant
    checks: Mapping[str, str]


class DetailedHealth(msgspec.Struct, frozen=True):
    """How every dependency answers: `unhealthy` without the database or the broker, `degraded` without any other."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    timestamp: Instant
    maintenance: bool
    dependencies: Mapping[str, Dependency]


class RateLimit(msgspec.Struct, frozen=True):
    """So many requests in a window that begins with the first of them, for each `api_key`, each `user` or each `address`."""

    name: str
    requests: int
    window_seconds: float
    per: Literal["api_key", "user", "address"]


class Config(msgspec.Struct, frozen=True):
    """What this deployment can do."""

    version: str
    currencies: tuple[str, ...]
    amount_decimals: int
    page_default: int
    page_max: int
    body_bytes_max: int
    rate_limits: tuple[RateLimit, ...]
    features: dict[str, bool]


async def get_health(call: Calling) -> Answer:
    """Tell whether the gateway can do its work.

    200 when it can, 503 when its database or its broker does not answer.
    """
    checks = {name: check.status for name, check in (await call.use_cases.vital.look()).items()}
    good = all(status == "ok" for status in checks.values())
    health = Health("healthy" if good else "unhealthy", VERSION, wire_time(call.use_cases.clock.now()), checks)
    return resource(msgspec.json.encode(health), status=200 if good else 503)


async def get_detailed_health(call: Calling) -> Answer:
    """Tell how each dependency answers.

    Always 200, for people and dashboards. `unhealthy` without the database or the broker, `degraded` without any other.
    """
    vital, everything = await asyncio.gather(call.use_cases.vital.look(), call.use_cases.everything.look())
    dependencies = {**vital, **everything}
    health = DetailedHealth(
        status=_verdict(vital, everything),
        version=VERSION,
        timestamp=wire_time(call.use_cases.clock.now()),
        maintenance=call.use_cases.maintenance.is_on,
        dependencies=dependencies,
    )
    return resource(msgspec.json.encode(health))


def _verdict(vital: Checks, everything: Checks) -> Literal["healthy", "degraded", "unhealthy"]:
    if any(check.status == "unreachable" for check in vital.values()):
        return "unhealthy"
    return "degraded" if any(check.status == "unreachable" for check in everything.values()) else "healthy"


async def get_config(call: Calling) -> Answer:
    """Tell what this deployment can do.

    Its currencies, its limits, and which features are on.
    """
    features = {"milestones": True, "disputes": True, "webhooks": True}
    limits = tuple(_rate_limits(call.use_cases.limits))
    config = Config(VERSION, ("USD", "USDC", "XLM"), 7, PAGE_DEFAULT, PAGE_MAX, BODY_BYTES_MAX, limits, features)
    return resource(msgspec.json.encode(config))


def _rate_limits(limits: RateLimits | None) -> Iterator[RateLimit]:
    """Tell what is enforced: nothing without limits."""
    if limits is not None:
        for rule in limits.rules:
            yield RateLimit(rule.name, rule.amount, rule.seconds, "user" if rule.field else "api_key")
        yield RateLimit(FAILURES.name, FAILURES.amount, FAILURES.seconds, "address")


OPERATIONS = (
    Operation("GET", "/health", get_health, Scope.PUBLIC, Health, also=(503,)),
    Operation("GET", "/health/detailed", get_detailed_health, Scope.PUBLIC, DetailedHealth),
    Operation("GET", "/config", get_config, Scope.PUBLIC, Config),
)

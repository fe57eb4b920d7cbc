"""What anybody may ask: health, configuration, the error catalogue."""

from typing import Final

import msgspec

from libs.common.kernel.clock import wire_time
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer, resource
from services.gateway.domain.documents import BODY_BYTES_MAX
from services.gateway.domain.errors import CATALOGUE, ApiError
from services.gateway.entrypoints.http.calls import Calling
from services.gateway.entrypoints.http.fields import PAGE_DEFAULT, PAGE_MAX
from services.gateway.entrypoints.http.routing import Operation

VERSION: Final = "0.1.0"


class Health(msgspec.Struct, frozen=True):
    """Whether the gateway can do its work now: `healthy` or `unhealthy`."""

    status: str
    version: str
    timestamp: str
    checks: dict[str, str]


class Config(msgspec.Struct, frozen=True):
    """What this deployment can do."""

    version: str
    currencies: tuple[str, ...]
    amount_decimals: int
    page_default: int
    page_max: int
    body_bytes_max: int
    features: dict[str, bool]


class ErrorEntry(msgspec.Struct, frozen=True):
    """One entry of the error catalogue."""

    code: str
    http_status: int
    message: str
    fix: str
    retryable: bool


async def get_health(call: Calling) -> Answer:
    """Tell whether the gateway can do its work."""
    checks = await call.use_cases.probe()
    good = all(value == "ok" for value in checks.values())
    health = Health("healthy" if good else "unhealthy", VERSION, wire_time(call.use_cases.clock.now()), checks)
    return resource(msgspec.json.encode(health), status=200 if good else 503)


async def get_config(call: Calling) -> Answer:  # noqa: ARG001 - every endpoint is given its call
    """Tell what this deployment can do."""
    features = {"milestones": True, "disputes": True, "webhooks": True}
    config = Config(VERSION, ("USD", "USDC", "XLM"), 7, PAGE_DEFAULT, PAGE_MAX, BODY_BYTES_MAX, features)
    return resource(msgspec.json.encode(config))


async def get_error(call: Calling, code: str) -> Answer:  # noqa: ARG001 - as above
    """Explain an error code."""
    problem = CATALOGUE.get(code)
    if problem is None:
        raise ApiError("NOT_FOUND", "There is no such error code")
    return resource(msgspec.json.encode(ErrorEntry(code, problem.status, problem.message, problem.fix, problem.retryable)))


OPERATIONS = (
    Operation("GET", "/health", get_health, Scope.PUBLIC, Health),
    Operation("GET", "/config", get_config, Scope.PUBLIC, Config),
    Operation("GET", "/errors/{code}", get_error, Scope.PUBLIC, ErrorEntry),
)

"""The gateway put together."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Final, Self

import asyncpg
import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from libs.common.contracts.topology import Topology
from libs.common.kernel.clock import Clock, SystemClock
from libs.common.kernel.ids import new_id
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.messaging.worker import database_url
from libs.common.observability.health import HealthServer
from libs.common.persistence.pool import open_pool
from services.gateway.clients.rate_limits import RateLimits
from services.gateway.domain.access import Scope
from services.gateway.domain.answers import Answer
from services.gateway.domain.idempotency import LEASE
from services.gateway.entrypoints.http import auth, disputes, orders, public, resolution, users, wallets, webhooks
from services.gateway.entrypoints.http.calls import Calling, UseCases
from services.gateway.entrypoints.http.edge import Edge
from services.gateway.entrypoints.http.openapi import document
from services.gateway.entrypoints.http.routing import ApiRoute, Operation, add_operations, check_scopes
from services.gateway.handlers.api_keys import ApiKeys
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.handlers.once import Once
from services.gateway.handlers.register_webhook import RegisterWebhook
from services.gateway.handlers.services import Services
from services.gateway.settings import GatewaySettings
from services.gateway.store.gathering import TROUBLE
from services.gateway.store.keys import Keys
from services.gateway.store.requests import Requests

PROBE_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 60.0
_FORGET_ROWS: Final = 5_000
_log = structlog.get_logger("offerhub.gateway")

# The router tries its routes in order, so the busiest come first.
_TABLE: Final = (
    ("Users", users.OPERATIONS),
    ("Orders", orders.OPERATIONS),
    ("Resolution", resolution.OPERATIONS),
    ("Disputes", disputes.OPERATIONS),
    ("Wallets", wallets.OPERATIONS),
    ("Webhooks", webhooks.OPERATIONS),
    ("Auth", auth.OPERATIONS),
    ("Public", public.OPERATIONS),
)


def build_api() -> FastAPI:
    """Build the router and its document.

    Raises:
        TypeError: a route declares no scope.
    """
    api = FastAPI(title="OFFER-HUB", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for tag, operations in _TABLE:
        add_operations(api.router, operations, tag=tag)
    described = document([route for route in api.router.routes if isinstance(route, ApiRoute)])

    async def get_openapi(call: Calling) -> Answer:  # noqa: ARG001 - every endpoint is given its call
        """Describe this API."""
        return Answer(200, described)

    add_operations(api.router, (Operation("GET", "/openapi.json", get_openapi, Scope.PUBLIC),), tag="Public")
    check_scopes(api.router)
    return api


class Gateway:
    """One gateway process: `async with Gateway(...)` opens it; `asgi` is what a server serves."""

    def __init__(self, settings: GatewaySettings, clock: Clock | None = None) -> None:
        """Prepare; nothing is opened yet."""
        self._settings = settings
        self._clock = clock or SystemClock()
        topology = Topology(settings.bus_prefix, settings.queue_expires_ms)
        self.link = Link(settings.amqp_url.get_secret_value(), topology, name=f"gateway-{settings.instance}")
        self._rpc = RpcClient(self.link, Publisher(self.link), instance=settings.instance)
        self._health = HealthServer(
            self.probe, host=settings.health_host, port=settings.health_port, port_file=settings.health_port_file
        )
        self.pool: asyncpg.Pool
        self.asgi: ASGIApp
        self._once: Once
        self._limits: RateLimits | None = None
        self._forgetting: asyncio.Task[None]
        self._probed: tuple[float, dict[str, str]] = (0.0, {})

    async def __aenter__(self) -> Self:
        """Open everything. The broker may come later: until then requests that need it are told so."""
        settings = self._settings
        url = database_url(settings, "gateway")
        self.pool = await open_pool(url, schema="gateway", size=settings.pool_size, application="offerhub-gateway")
        await self.link.start()
        keys, requests = Keys(self.pool), Requests(self.pool, self._clock, lease=LEASE)
        authenticator = Authenticator(keys, pepper=settings.pepper(), master_key=settings.master_key.get_secret_value())
        self._once = Once(requests, new_id)
        services = Services(self.link, self._rpc)
        use_cases = UseCases(
            services=services,
            once=self._once,
            api_keys=ApiKeys(keys, authenticator, self._clock, pepper=settings.pepper()),
            webhooks=RegisterWebhook(services, pepper=settings.pepper()),
            clock=self._clock,
            probe=self.cached_probe,
            docs=settings.docs_url.rstrip("/"),
        )
        if settings.rate_limits == "on":
            self._limits = RateLimits(settings.redis_url.get_secret_value())
        self.asgi = Edge(build_api().router, use_cases, authenticator, self._limits)
        self._forgetting = asyncio.create_task(_endless(_forget(requests)))
        await self._health.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write down what was answered, then close everything."""
        self._forgetting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._forgetting
        await self._once.drain()
        if self._limits is not None:
            await self._limits.close()
        await self._health.stop()
        await self.link.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.pool.close()
        self.pool.terminate()

    async def probe(self) -> dict[str, str]:
        """Tell whether the broker and the database answer."""
        checks = {"broker": "ok" if self.link.is_up else "unreachable"}
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.pool.fetchval("SELECT 1")
            checks["database"] = "ok"
        except TROUBLE as error:
            _log.warning("probe.database", error=repr(error))
            checks["database"] = "unreachable"
        return checks

    async def cached_probe(self) -> dict[str, str]:
        """Probe at most once a second, however often anybody asks."""
        now = asyncio.get_running_loop().time()
        if now >= self._probed[0] + PROBE_SECONDS:
            self._probed = (now, await self.probe())
        return self._probed[1]


async def _forget(requests: Requests) -> None:
    while True:
        try:
            while await requests.forget(limit=_FORGET_ROWS) == _FORGET_ROWS:
                pass
        except TROUBLE as error:
            _log.warning("requests.not_forgotten", error=repr(error))
        await asyncio.sleep(_FORGET_SECONDS)


async def _endless(loop: Awaitable[None]) -> None:
    try:
        await loop
    except BaseException as error:
        if not isinstance(error, asyncio.CancelledError):
            _log.error("loop.died", error=repr(error))
        raise

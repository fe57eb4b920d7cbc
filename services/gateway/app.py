"""The gateway put together."""

import asyncio
import contextlib
import random
from datetime import timedelta
from functools import partial
from typing import Final, Self

import asyncpg
from fastapi import FastAPI
from starlette.types import ASGIApp

from libs.common.contracts.queries.common import Ping
from libs.common.contracts.topology import SERVICES, Topology
from libs.common.kernel.clock import Clock, SystemClock
from libs.common.kernel.ids import Tenant
from libs.common.messaging.link import Link
from libs.common.messaging.publisher import Publisher
from libs.common.messaging.rpc import RpcClient
from libs.common.messaging.worker import database_url
from libs.common.observability.health import HealthServer
from libs.common.persistence.gathering import TROUBLE
from libs.common.persistence.pool import PATIENCE_SECONDS, open_pool
from services.gateway.clients.attempts import Attempts
from services.gateway.clients.counters import LocalCounter, RedisCounter
from services.gateway.clients.notices import Notices
from services.gateway.clients.rate_limits import RateLimits
from services.gateway.domain.api_keys import digest
from services.gateway.domain.limits import GENERAL, Rule
from services.gateway.entrypoints.chores import again, endless, write_uses
from services.gateway.entrypoints.http import (
    admin,
    auth,
    deliveries,
    disputes,
    error_docs,
    escrow,
    events,
    orders,
    public,
    records,
    replays,
    resolution,
    second_factors,
    users,
    wallets,
    webhooks,
    withdrawals,
)
from services.gateway.entrypoints.http.calls import UseCases
from services.gateway.entrypoints.http.documents import documents
from services.gateway.entrypoints.http.edge import Edge
from services.gateway.entrypoints.http.routing import ApiRoute, Operation, add_operations, check_scopes
from services.gateway.handlers.api_keys import ApiKeys
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.handlers.event_log import EventLog
from services.gateway.handlers.health import Prober
from services.gateway.handlers.maintenance import MaintenanceMode
from services.gateway.handlers.notes import Notes
from services.gateway.handlers.once import Once
from services.gateway.handlers.read_records import Records
from services.gateway.handlers.register_webhook import RegisterWebhook
from services.gateway.handlers.services import Services
from services.gateway.handlers.streams import STEADY, Pace, Streams
from services.gateway.handlers.sweep import AT_ONCE, Sweeper
from services.gateway.settings import GatewaySettings
from services.gateway.store.key_uses import KeyUses
from services.gateway.store.keys import Keys
from services.gateway.store.leases import Leases
from services.gateway.store.leftovers import Leftovers
from services.gateway.store.maintenance import MaintenanceRow
from services.gateway.store.records import RecordStore
from services.gateway.store.requests import Requests

_CLOSE_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 600.0
_SWEEP_SECONDS: Final = 5.0
_FORGET_ROWS: Final = 5_000
_NOBODYS: Final = Tenant("-")

Table = tuple[tuple[str, tuple[Operation, ...]], ...]
"""Operations, by the tag under which they are documented."""

# The router tries its routes in order, so the busiest come first.
TABLE: Final[Table] = (
    ("Users", users.OPERATIONS),
    ("Orders", orders.OPERATIONS),
    ("Escrow", escrow.OPERATIONS),
    ("Resolution", resolution.OPERATIONS),
    ("Disputes", disputes.OPERATIONS),
    ("Wallets", wallets.OPERATIONS),
    ("Withdrawals", (*withdrawals.OPERATIONS, *second_factors.OPERATIONS)),
    ("Webhooks", (*webhooks.OPERATIONS, *deliveries.OPERATIONS, *replays.OPERATIONS)),
    ("Events", events.OPERATIONS),
    ("Auth", auth.OPERATIONS),
    ("Records", records.OPERATIONS),
    ("Admin", admin.OPERATIONS),
    ("Public", public.OPERATIONS),
    ("Errors", error_docs.OPERATIONS),
)


def build_api(table: Table = TABLE) -> FastAPI:
    """Build the router and its document.

    Raises:
        TypeError: a route declares no scope.
    """
    api = FastAPI(title="OFFER-HUB", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for tag, operations in table:
        add_operations(api.router, operations, tag=tag)
    routes = [route for route in api.router.routes if isinstance(route, ApiRoute)]
    add_operations(api.router, documents(routes), tag="Public")
    check_scopes(api.router)
    return api


class Gateway:
    """One gateway process: `async with Gateway(...)` opens it; `asgi` is what a server serves."""

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock | None = None,
        *,
        table: Table = TABLE,
        general: Rule | None = None,
        pace: Pace = STEADY,
    ) -> None:
        """Prepare; nothing is opened yet. `table` is what it can do; `general` goes before the settings' own rule."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._table = table
        self._pace = pace
        self._limits: RateLimits | None = None
        self._attempts: Attempts | None = None
        self._redis: RedisCounter | None = None
        if settings.rate_limits == "on":
            self._count_with(general or Rule(GENERAL.name, settings.requests_per_minute))
        topology = Topology(settings.bus_prefix, settings.queue_expires_ms)
        self.link = Link(settings.amqp_url.get_secret_value(), topology, name=f"gateway-{settings.instance}")
        publisher = Publisher(self.link)
        self._rpc = RpcClient(self.link, publisher, instance=settings.instance)
        self._notices = Notices(self.link, publisher, instance=settings.instance)
        self._health = HealthServer(
            self.probe, host=settings.health_host, port=settings.health_port, port_file=settings.health_port_file
        )
        self.pool: asyncpg.Pool
        self.asgi: ASGIApp
        self.authenticator: Authenticator
        self.maintenance: MaintenanceMode
        self.streams: Streams
        self._once: Once
        self._uses: KeyUses
        self._notes: Notes
        self.leftovers: Leftovers
        self.sweeper: Sweeper
        self._loops: list[asyncio.Task[None]] = []
        self._vital: Prober
        self._everything: Prober

    async def __aenter__(self) -> Self:
        """Open everything. The broker may come later: until then requests that need it are told so."""
        settings = self._settings
        url = database_url(settings, "gateway")
        self.pool = await open_pool(
            url,
            schema="gateway",
            size=settings.pool_size,
            application="offerhub-gateway",
            patience_seconds=PATIENCE_SECONDS,
        )
        await self.link.start()
        keys, requests = Keys(self.pool), Requests(self.pool, self._clock)
        self.leftovers = Leftovers(self.pool, self._clock)
        self._uses = KeyUses(self.pool)
        self.authenticator = Authenticator(
            keys,
            self._uses,
            self._attempts,
            self._clock,
            pepper=settings.pepper(),
            master_key=settings.master_key.get_secret_value(),
        )
        self._once = Once(requests)
        self._notes = Notes(requests, self._clock, read_share=settings.recorded_reads, dice=random.random)
        services = Services(self.link, self._rpc)
        self.streams = Streams(
            EventLog(services),
            Leases(self.pool),
            self.authenticator,
            self._notices,
            pace=self._pace,
            dice=random.random,
        )
        self.maintenance = MaintenanceMode(MaintenanceRow(self.pool), self._clock)
        await self.maintenance.refresh()
        self._vital, self._everything = self._probers()
        use_cases = UseCases(
            services=services,
            once=self._once,
            api_keys=ApiKeys(keys, self.authenticator, self._clock, pepper=settings.pepper()),
            webhooks=RegisterWebhook(services, pepper=settings.pepper()),
            streams=self.streams,
            limits=self._limits,
            clock=self._clock,
            maintenance=self.maintenance,
            records=Records(RecordStore(self.pool)),
            vital=self._vital,
            everything=self._everything,
            pepper=settings.pepper(),
            docs=settings.docs_url.rstrip("/"),
        )
        self.asgi = Edge(build_api(self._table).router, use_cases, self.authenticator, self._notes, settings.trusted_proxies)
        self.sweeper = Sweeper(self.leftovers, requests, services, users.SHAPES, docs=use_cases.docs)
        kept = timedelta(days=settings.records_kept_days)
        loops = (
            again(self.sweeper.sweep, full=AT_ONCE, pause=_SWEEP_SECONDS),
            again(partial(self.leftovers.forget, kept=kept, limit=_FORGET_ROWS), full=_FORGET_ROWS, pause=_FORGET_SECONDS),
            write_uses(self._uses),
            self.maintenance.watch(),
            self.streams.guard(),
            self.streams.renew(),
            self.streams.look(),
        )
        self._loops = [asyncio.create_task(endless(loop)) for loop in loops]
        await self._health.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write down what was answered, then close everything."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._once.drain()
        await self._notes.drain()
        with contextlib.suppress(*TROUBLE):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._uses.write()
        if self._limits is not None:
            await self._limits.close()
        await self._health.stop()
        for prober in (self._vital, self._everything):
            await prober.stop()
        await self.link.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.pool.close()
        self.pool.terminate()

    def drain(self) -> None:
        """End what would go on for ever, so that the server can stop."""
        self.streams.drain()

    def _count_with(self, general: Rule) -> None:
        settings = self._settings
        url = settings.redis_url.get_secret_value()
        namespace = settings.bus_prefix + digest(settings.pepper(), "counters").hex()[:16]
        rules = tuple(operation.limit for _, operations in self._table for operation in operations if operation.limit)
        self._redis = RedisCounter(url, prefix=f"offerhub:{namespace}:") if url else None
        self._limits = RateLimits(self._redis or LocalCounter(), self._clock, general=general, rules=rules)
        self._attempts = Attempts(self._clock, self._redis)

    async def probe(self) -> dict[str, str]:
        """Tell whether the broker and the database answer."""
        return {name: check.status for name, check in (await self._vital.look()).items()}

    def _probers(self) -> tuple[Prober, Prober]:
        services = {name: partial(self._rpc.query, name, Ping(), tenant=_NOBODYS) for name in SERVICES}
        vital = Prober({"database": partial(self.pool.fetchval, "SELECT 1"), "broker": self.link.ping})
        return vital, Prober({"redis": partial(self._redis.count, (), cost=0) if self._redis else None, **services})

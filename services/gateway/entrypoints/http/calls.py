"""One request on its way through the gateway, and what an endpoint can do with it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import Tenant, new_id
from services.gateway.clients.rate_limits import RateLimits
from services.gateway.domain.access import NOBODY, Denial, Denied, Principal, Scope, allows
from services.gateway.domain.addresses import Address
from services.gateway.domain.answers import Answer, failure, page, resource
from services.gateway.domain.api_keys import mask
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import DAY, canonical, fingerprint
from services.gateway.domain.records import NOTHING, About
from services.gateway.entrypoints.http.fields import REDACTED
from services.gateway.handlers.api_keys import ApiKeys
from services.gateway.handlers.authenticate import DENIED
from services.gateway.handlers.health import Prober
from services.gateway.handlers.maintenance import MaintenanceMode
from services.gateway.handlers.meter import Meter
from services.gateway.handlers.once import Asked, Once
from services.gateway.handlers.read_records import Records
from services.gateway.handlers.register_webhook import RegisterWebhook
from services.gateway.handlers.services import RefusedError, Services
from services.gateway.handlers.streams import Streams

Shape = Callable[[msgspec.Raw], Answer]
"""Makes the answer out of what a service said."""
_KEPT: Final = 2_000
"""Characters of a path or a query that a record keeps."""
_SEED: Final = re.compile(rb"\bS[A-Z2-7]{55}\b")
"""A secret key of a Stellar account: people paste it where its address belongs."""


@dataclass(frozen=True, slots=True)
class UseCases:
    """What endpoints may use; built once by the composition root."""

    services: Services
    once: Once
    api_keys: ApiKeys
    webhooks: RegisterWebhook
    streams: Streams
    maintenance: MaintenanceMode
    limits: RateLimits | None
    """None: every caller may ask as often as it likes."""
    clock: Clock
    records: Records
    vital: Prober
    """Without these the gateway can do nothing."""
    everything: Prober
    pepper: bytes
    """Under it bodies are fingerprinted."""
    docs: str
    """Where error codes are explained; the code is added behind a slash."""


@dataclass(slots=True)
class Call:
    """A request: what its headers said, whom it acts for, and its body once it has been read."""

    use_cases: UseCases
    method: str
    path: str
    meter: Meter = field(default_factory=Meter)
    query: str = ""
    id: str = field(default_factory=partial(new_id, "req"))
    own_request_id: str | None = None
    authorization: str | None = None
    idempotency_key: str | None = None
    accept: str = ""
    last_event_id: str | None = None
    content_type: str = ""
    content_length: int = 0
    is_endless: bool = False
    """More of its body may come than anybody will read: the connection ends with the answer."""
    fault: ApiError | None = None
    """What is wrong with it before anybody asks whose it is."""
    address: Address | None = None
    who: Principal | Denied = NOBODY
    operation: str = ""
    success: int = 200
    """The status of the operation's success."""
    resource_id: str | None = None
    document: dict[str, Any] = field(default_factory=dict)
    redacted: dict[str, Any] = field(default_factory=dict)
    """The document as it may be recorded."""
    is_claimed: bool = False
    """Its record is being written, whatever becomes of it."""
    is_begun: bool = False
    """What it asks for may have happened."""

    @property
    def request_id(self) -> str:
        """Name the request as its caller does, or as we do."""
        return self.own_request_id or self.id

    @property
    def is_keyed(self) -> bool:
        """Tell whether an Idempotency-Key was applied."""
        return self.is_claimed and self.idempotency_key is not None

    @property
    def principal(self) -> Principal:
        """Return whom the request acts for.

        Raises:
            ApiError: UNAUTHORIZED, ADDRESS_NOT_ALLOWED, RATE_LIMITED; it acts for nobody.
        """
        if isinstance(self.who, Denied):
            if self.who.denial is Denial.MISSING:  # what a request shows is counted wherever it goes, that it shows nothing here
                DENIED.labels(Denial.MISSING).inc()
            raise self.who.error()
        return self.who

    @property
    def tenant(self) -> Tenant:
        """Name the only tenant the request can reach."""
        return self.principal.tenant

    def require(self, wanted: Scope) -> None:
        """Go on only for a key with this scope.

        Raises:
            ApiError: UNAUTHORIZED, INSUFFICIENT_SCOPE.
        """
        if not allows(self.principal, wanted):
            current = sorted(self.principal.scopes)
            raise ApiError("INSUFFICIENT_SCOPE", required_scope=wanted.value, current_scopes=current)

    async def ask(self, service: str, query: msgspec.Struct, shape: Shape = resource) -> Answer:
        """Answer with what a service knows."""
        return shape(await self.use_cases.services.query(service, query, tenant=self.tenant))

    async def ask_page(self, service: str, query: msgspec.Struct) -> Answer:
        """Answer with a page of a service's list."""
        return await self.ask(service, query, page)

    async def submit(
        self,
        service: str,
        make: Callable[[str], msgspec.Struct],
        *,
        shape: Shape | None = None,
        window: timedelta | None = DAY,
    ) -> Answer:
        """Have a service do something once: `make` builds the command out of its command id.

        Without a `shape` the service's answer is the resource.
        """

        async def run(command_id: str) -> Answer:
            reply = await self.use_cases.services.command(service, make(command_id), tenant=self.tenant, command_id=command_id)
            if shape is None:
                return resource(reply.result, status=self.success, before=reply.before)
            return shape(reply.result)

        return await self.once(run, window=window, service=service)

    async def once(
        self,
        run: Callable[[str], Awaitable[Answer]],
        *,
        window: timedelta | None,
        storable: bool = True,
        service: str = "",
        message: str = "cmd",
    ) -> Answer:
        """Do some work once per Idempotency-Key, and have it recorded. A repeat is neither run nor counted.

        `service` obeys the command and knows its id under the prefix `message`; it is empty for the gateway's own work. What is
        not `storable` is an answer with a secret in it: a repeat runs again and gets the same from the owner.
        """

        async def begin(command_id: str) -> Answer:
            try:
                await self.meter.count()
                self.is_begun = True
                return await run(command_id)
            except (ApiError, RefusedError) as error:
                return self.failure(error)

        async def repeat(command_id: str) -> Answer:
            await self.meter.forgive()
            return await begin(command_id)

        body = canonical(self.document)
        kept = body if self.redacted is self.document else canonical(self.redacted)
        target = f"{self.path}?{self.query}" if self.query else self.path
        asked = self.asked(
            self.about(msgspec.Raw(_SEED.sub(REDACTED.encode(), kept)), service=service, message=message, is_secret=not storable),
            fingerprint=fingerprint(self.use_cases.pepper, self.method, target, body),
            window=window,
        )
        if self.meter.is_spent:
            known = await self.use_cases.once.repeat(asked, repeat)
            if known is not None:
                return known
            await self.meter.count()
        self.is_claimed = True
        return await self.use_cases.once.run(asked, begin, repeat)

    def asked(self, about: About, *, fingerprint: bytes = b"", window: timedelta | None = None) -> Asked:
        """Say whose request this is, and what its record keeps of it."""
        return Asked(
            tenant=self.tenant,
            id=self.id,
            api_key_id=self.principal.key_id,
            key=None if self.idempotency_key is None else mask(self.idempotency_key),
            fingerprint=fingerprint,
            about=about,
            own_request_id=self.own_request_id,
            window=window,
        )

    def about(
        self,
        document: msgspec.Raw = NOTHING,
        *,
        service: str = "",
        message: str = "cmd",
        is_secret: bool = False,
        is_replay: bool = False,
    ) -> About:
        """Say what the record keeps of the question."""
        return About(
            request_id=self.request_id,
            method=self.method,
            path=mask(self.path[:_KEPT]),
            operation=self.operation,
            query=mask(self.query[:_KEPT]),
            address="" if self.address is None else str(self.address),
            resource_id=self.resource_id,
            is_replay=is_replay,
            document=document,
            service=service,
            message=message,
            success=self.success,
            is_secret=is_secret,
        )

    def failure(self, error: ApiError | RefusedError) -> Answer:
        """Answer with an error."""
        retry_after = error.retry_after if isinstance(error, ApiError) else 0
        return failure(
            error.code,
            error.message,
            error.details,
            request_id=self.request_id,
            docs=self.use_cases.docs,
            retry_after=retry_after,
        )


def _handed_over() -> None:
    """Stand where FastAPI looks for a dependency: the route hands the call over itself."""


CALL: Final = Depends(_handed_over)
Calling = Annotated[Call, CALL]
"""The type of an endpoint's first argument."""

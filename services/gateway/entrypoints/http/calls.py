"""One request on its way through the gateway, and what an endpoint can do with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends

from libs.common.kernel.clock import Clock
from libs.common.kernel.ids import Tenant
from services.gateway.clients.rate_limits import Quota
from services.gateway.domain.access import Principal
from services.gateway.domain.answers import Answer, failure, page, resource
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import DAY, fingerprint
from services.gateway.handlers.api_keys import ApiKeys
from services.gateway.handlers.once import Keyed, Once
from services.gateway.handlers.register_webhook import RegisterWebhook
from services.gateway.handlers.services import RefusedError, Services

Shape = Callable[[msgspec.Raw], Answer]
"""Makes the answer out of what a service said."""
Probe = Callable[[], Awaitable[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What endpoints may use; built once by the composition root."""

    services: Services
    once: Once
    api_keys: ApiKeys
    webhooks: RegisterWebhook
    clock: Clock
    probe: Probe
    docs: str
    """Where error codes are explained; the code is added behind a slash."""


@dataclass(slots=True)
class Call:
    """A request: what its headers said, whom it acts for, and its body once it has been read."""

    use_cases: UseCases
    request_id: str
    method: str
    path: str
    authorization: str | None = None
    idempotency_key: str | None = None
    content_type: str = ""
    content_length: int = 0
    who: Principal | None = None
    quota: Quota | None = None
    document: dict[str, Any] = field(default_factory=dict)
    is_keyed: bool = False
    """An Idempotency-Key was applied."""

    @property
    def principal(self) -> Principal:
        """Return whom the request acts for.

        Raises:
            ApiError: UNAUTHORIZED, it came without a valid key.
        """
        if self.who is None:
            message = "Missing Authorization header" if self.authorization is None else "Invalid API key"
            raise ApiError("UNAUTHORIZED", message)
        return self.who

    @property
    def tenant(self) -> Tenant:
        """Name the only tenant the request can reach."""
        return self.principal.tenant

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
        shape: Shape = resource,
        window: timedelta | None = DAY,
    ) -> Answer:
        """Have a service do something once: `make` builds the command out of its command id."""

        async def run(command_id: str) -> Answer:
            raw = await self.use_cases.services.command(service, make(command_id), tenant=self.tenant, command_id=command_id)
            return shape(raw)

        return await self.once(run, window=window)

    async def once(self, run: Callable[[str], Awaitable[Answer]], *, window: timedelta | None, storable: bool = True) -> Answer:
        """Do some work once per Idempotency-Key; without a key, simply do it."""

        async def run_and_tell(command_id: str) -> Answer:
            try:
                return await run(command_id)
            except (ApiError, RefusedError) as error:
                return self.failure(error)

        return await self.use_cases.once.run(self._keyed(window, storable=storable), run_and_tell)

    def failure(self, error: ApiError | RefusedError, *, allow: str = "") -> Answer:
        """Answer with an error."""
        retry_after = error.retry_after if isinstance(error, ApiError) else 0
        return failure(
            error.code,
            error.message,
            error.details,
            request_id=self.request_id,
            docs=self.use_cases.docs,
            retry_after=retry_after,
            allow=allow,
        )

    def _keyed(self, window: timedelta | None, *, storable: bool) -> Keyed | None:
        if self.idempotency_key is None:
            return None
        self.is_keyed = True
        key = (self.tenant, self.principal.key_id, self.idempotency_key)
        return Keyed(key, fingerprint(self.method, self.path, self.document), window, storable)


def created(raw: bytes | msgspec.Raw) -> Answer:
    """Answer with the resource that was made."""
    return resource(raw, status=201)


def _handed_over() -> None:
    """Stand where FastAPI looks for a dependency: the route hands the call over itself."""


CALL: Final = Depends(_handed_over)
Calling = Annotated[Call, CALL]
"""The type of an endpoint's first argument."""

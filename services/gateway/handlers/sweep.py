"""Finish what a killed gateway left: ask the owner what became of each command, and write it down."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog
from prometheus_client import Counter

from libs.common.contracts.commands.common import Forgo
from libs.common.kernel.ids import Tenant, sibling_id
from services.gateway.domain.answers import Answer, failure, resource
from services.gateway.domain.errors import ApiError
from services.gateway.domain.idempotency import Fate, fate
from services.gateway.domain.records import About
from services.gateway.handlers.services import RefusedError, Services
from services.gateway.store.leftovers import Leftover, Leftovers
from services.gateway.store.requests import Ended, Requests

Shape = Callable[[About, msgspec.Raw], Answer]
"""Makes the answer to a request out of what the service answered to its command."""

AT_ONCE: Final = 50
_log = structlog.get_logger("offerhub.sweep")

SWEPT = Counter("offerhub_requests_swept_total", "Requests of dead processes that were finished", ["outcome"])


class Sweeper:
    """Takes over requests whose lease is over.

    The owner is sent `Forgo` under the command's own id. Had the command arrived, its inbox gives the command's answer;
    had it not, it never can any more. Either way the outcome is certain from then on.
    """

    def __init__(
        self, leftovers: Leftovers, requests: Requests, services: Services, shapes: Mapping[str, Shape], *, docs: str
    ) -> None:
        """Ask these services; `shapes` make the answers of operations that don't show the service's as it is.

        `docs` is where error codes are explained.
        """
        self._leftovers = leftovers
        self._requests = requests
        self._services = services
        self._shapes = shapes
        self._docs = docs

    async def sweep(self) -> int:
        """Finish some requests; return how many there were to finish."""
        left = await self._leftovers.take(AT_ONCE)
        outcomes = await asyncio.gather(*(self._outcome(one) for one in left))
        ended = [one for one in outcomes if one is not None]
        if ended:
            await self._requests.settle(ended)
        return len(left)

    async def _outcome(self, left: Leftover) -> Ended | None:
        about = msgspec.json.decode(left.claim.about, type=About)
        if not about.service:
            return self._own(left, about)
        try:
            answer = await self._ask(left, about)
        except ApiError as error:
            if error.code != "NOT_EXECUTED":
                _log.warning("request.not_swept", id=left.claim.id, code=error.code)
                return None
            answer = self._failure(about, error)
        except RefusedError as error:
            answer = self._failure(about, error)
        SWEPT.labels(answer.code or "done").inc()
        is_storable = not about.is_secret or answer.code != ""
        resource_id, ended_as = about.resource_id or answer.names, fate(answer, fresh=False)
        return Ended(left.claim, left.claim.id, left.started_at, answer, ended_as, resource_id, is_storable=is_storable)

    def _own(self, left: Leftover, about: About) -> Ended:
        """Leave it open what became of the gateway's own work: doing it again under its id comes to the same."""
        answer = self._failure(about, ApiError("OUTCOME_UNKNOWN"))
        SWEPT.labels(answer.code).inc()
        return Ended(left.claim, left.claim.id, left.started_at, answer, Fate.KEEP, about.resource_id, is_storable=False)

    async def _ask(self, left: Leftover, about: About) -> Answer:
        command_id = sibling_id(about.message, left.claim.id)
        tenant = Tenant(left.claim.tenant)
        reply = await self._services.command(about.service, Forgo(), tenant=tenant, command_id=command_id)
        shape = self._shapes.get(about.operation)
        if shape is not None:
            return shape(about, reply.result)
        return resource(reply.result, status=about.success, before=reply.before)

    def _failure(self, about: About, error: ApiError | RefusedError) -> Answer:
        return failure(error.code, error.message, error.details, request_id=about.request_id, docs=self._docs)

"""The outermost layer: ids, keys, limits and headers of every request, and one error envelope whatever happens."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from services.gateway.domain.access import Principal
from services.gateway.domain.addresses import Network, client_address, origin
from services.gateway.domain.answers import Answer
from services.gateway.domain.api_keys import mask
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.bodies import ClientGoneError
from services.gateway.entrypoints.http.calls import Call, UseCases
from services.gateway.entrypoints.http.headers import read_headers
from services.gateway.entrypoints.http.pour import pour
from services.gateway.entrypoints.http.unrouted import unrouted
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.handlers.meter import Meter
from services.gateway.handlers.notes import Notes
from services.gateway.handlers.services import RefusedError

IN_FLIGHT_MAX: Final = 1024
"""Requests that may wait at once in one process: beyond them memory would grow with the callers' patience."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_log = structlog.get_logger("offerhub.http")

HTTP_SECONDS = Histogram("offerhub_http_seconds", "Time from a request to its answer", ["route"], buckets=_SECONDS)
HTTP_ANSWERS = Counter("offerhub_http_answers_total", "Answers, by route and status", ["route", "status"])
HTTP_IN_FLIGHT = Gauge("offerhub_http_in_flight", "Requests under way")


@lru_cache(maxsize=2_000)
def _metrics(route: str, status: int) -> tuple[Callable[[float], None], Callable[[], None]]:
    """Find the two metrics of an answer once: looking labels up costs more than counting."""
    return HTTP_SECONDS.labels(route).observe, HTTP_ANSWERS.labels(route, status).inc


class Edge:
    """Wraps the router; the only place that starts a response."""

    def __init__(
        self,
        router: Router,
        use_cases: UseCases,
        authenticator: Authenticator,
        notes: Notes,
        proxies: Sequence[Network] = (),
    ) -> None:
        """Serve this router. These proxies say whom they speak for."""
        self._router = router
        self._use_cases = use_cases
        self._authenticator = authenticator
        self._proxies = proxies
        self._notes = notes
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        call = self._open(scope)
        self._in_flight += 1
        HTTP_IN_FLIGHT.set(self._in_flight)
        try:
            answer = await self._answer(call, scope, receive, send)
        except ClientGoneError:
            return
        finally:
            self._in_flight -= 1
        route = scope.get("route")
        path, seconds = getattr(route, "path", "none"), time.perf_counter() - started
        observe, count = _metrics(path, answer.status)
        observe(seconds)
        count()
        start = _start(call, answer, notice=getattr(route, "notice", ()))
        if answer.flow is None:
            await send(start)
            await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else answer.body})
        self._record(call, answer, seconds)
        if answer.flow is not None:
            await pour(scope, receive, send, start, answer.flow)

    async def _answer(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer:
        answer = await self._attempt(call, self._serve(call, scope, receive, send))
        if answer.is_replay:
            await call.meter.forgive()
        elif call.meter.is_due:
            counted = await self._attempt(call, _count_late(call, answer))
            answer = counted if answer.code else answer  # what was done stays done
        return answer

    async def _attempt(self, call: Call, work: Awaitable[Answer]) -> Answer:
        try:
            return await work
        except (ApiError, RefusedError) as error:
            return call.failure(error)
        except ClientGoneError:
            raise
        except asyncio.CancelledError:
            # The server stops and has waited as long as it could; the caller shall know where it stands.
            return call.failure(ApiError("OUTCOME_UNKNOWN" if call.is_begun else "SERVICE_UNAVAILABLE", retry_after=1))
        except Exception as error:  # noqa: BLE001 - the edge: our mistake must not become the caller's riddle
            _log.error("request.failed", request_id=call.request_id, path=mask(call.path), error=repr(error), exc_info=True)
            return call.failure(ApiError("INTERNAL_ERROR"))

    async def _serve(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer:
        if self._in_flight > IN_FLIGHT_MAX:
            raise ApiError("SERVICE_UNAVAILABLE", "Too many requests are under way", retry_after=1)
        if call.fault is None:
            call.who = await self._authenticator.identify(call.authorization, call.address)
        call.meter.owe(None, _caller(call))
        if not isinstance(call.who, Principal) or call.idempotency_key is None or call.method in _SAFE:
            await call.meter.count()
        if call.fault is not None:
            raise call.fault
        try:
            await self._router(scope, receive, send)
        except HTTPException:
            raise unrouted(self._router.routes, scope) from None
        answer: Answer = scope["offerhub.answer"]
        return answer

    def _record(self, call: Call, answer: Answer, seconds: float) -> None:
        if not isinstance(call.who, Principal) or (call.is_claimed and not answer.is_replay):
            return
        if self._notes.wants(call.method, answer):
            self._notes.add(call.asked(call.about(is_replay=answer.is_replay)), answer, seconds=seconds)

    def _open(self, scope: Scope) -> Call:
        method: str = scope["method"]
        meter = Meter(self._use_cases.limits, is_write=method not in _SAFE)
        call = Call(self._use_cases, method, scope["path"], meter, scope["query_string"].decode("latin-1"))
        forwarded = read_headers(call, scope["headers"])
        if "offerhub.malformed" in scope:
            call.fault = ApiError("INVALID_REQUEST", scope["offerhub.malformed"])
        call.address = client_address((scope.get("client") or ("",))[0], forwarded, self._proxies)
        scope["offerhub.call"] = call
        scope["app"] = self  # with an app in its scope the router raises what it can't route, and we answer
        return call


def _caller(call: Call) -> str:
    """Name whose window a request is in: its key's, or that of where it comes from when it acts for nobody."""
    if isinstance(call.who, Principal):
        return f"key:{call.who.tenant}:{call.who.key_id}"
    return f"origin:{origin(call.address)}"


async def _count_late(call: Call, answer: Answer) -> Answer:
    """Count a request that might have been a repeat and was found at fault before anybody could tell."""
    await call.meter.count()
    return answer


def _start(call: Call, answer: Answer, *, notice: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", answer.content_type.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", call.request_id.encode()),
        *((name.encode(), value.encode()) for name, value in (*answer.headers, *notice)),
    ]
    if answer.flow is None:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    quota = call.meter.quota
    if quota is not None:
        headers += [
            (b"x-ratelimit-limit", str(quota.rule.amount).encode()),
            (b"x-ratelimit-remaining", str(quota.remaining).encode()),
            (b"x-ratelimit-reset", str(quota.reset).encode()),
        ]
    if call.is_keyed and call.idempotency_key is not None:
        headers.append((b"x-idempotency-key", call.idempotency_key.encode()))
    if answer.is_replay:
        headers.append((b"idempotency-replay", b"true"))
    if answer.retry_after:
        headers.append((b"retry-after", str(answer.retry_after).encode()))
    if call.is_endless:
        headers.append((b"connection", b"close"))
    if answer.status == 401:  # noqa: PLR2004 - RFC 9110 asks for the challenge
        headers.append((b"www-authenticate", b"Bearer"))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}

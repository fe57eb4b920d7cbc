"""The outermost layer: ids, keys, limits and headers of every request, and one error envelope whatever happens."""

import re
import time
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common.kernel.ids import new_id
from services.gateway.clients.rate_limits import RateLimits
from services.gateway.domain.answers import Answer
from services.gateway.domain.errors import ApiError
from services.gateway.entrypoints.http.bodies import ClientGoneError
from services.gateway.entrypoints.http.calls import Call, UseCases
from services.gateway.handlers.authenticate import Authenticator
from services.gateway.handlers.services import RefusedError

IN_FLIGHT_MAX: Final = 1024
"""Requests that may wait at once in one process: beyond them memory would grow with the callers' patience."""
_REQUEST_ID: Final = re.compile(rb"[0-9A-Za-z._:\-]{1,128}")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_log = structlog.get_logger("offerhub.http")

HTTP_SECONDS = Histogram("offerhub_http_seconds", "Time from a request to its answer", ["route"], buckets=_SECONDS)
HTTP_ANSWERS = Counter("offerhub_http_answers_total", "Answers, by route and status", ["route", "status"])
HTTP_IN_FLIGHT = Gauge("offerhub_http_in_flight", "Requests under way")


class Edge:
    """Wraps the router; the only place that starts a response."""

    def __init__(self, router: ASGIApp, use_cases: UseCases, authenticator: Authenticator, limits: RateLimits | None) -> None:
        """Serve this router; without limits every caller may ask as often as it likes."""
        self._router = router
        self._use_cases = use_cases
        self._authenticator = authenticator
        self._limits = limits
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
        route = getattr(scope.get("route"), "path", "none")
        HTTP_SECONDS.labels(route).observe(time.perf_counter() - started)
        HTTP_ANSWERS.labels(route, answer.status).inc()
        await _send(send, call, answer)

    async def _answer(self, call: Call, scope: Scope, receive: Receive, send: Send) -> Answer:
        try:
            await self._admit(call, scope)
            await self._router(scope, receive, send)
            answer: Answer = scope["offerhub.answer"]
        except (ApiError, RefusedError) as error:
            return call.failure(error)
        except HTTPException as error:
            code = "METHOD_NOT_ALLOWED" if error.status_code == 405 else "NOT_FOUND"  # noqa: PLR2004 - the router's own two
            return call.failure(ApiError(code), allow=(error.headers or {}).get("Allow", ""))
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: our mistake must not become the caller's riddle
            _log.error("request.failed", request_id=call.request_id, path=call.path, error=repr(error), exc_info=True)
            return call.failure(ApiError("INTERNAL_ERROR"))
        return answer

    async def _admit(self, call: Call, scope: Scope) -> None:
        if self._in_flight > IN_FLIGHT_MAX:
            raise ApiError("SERVICE_UNAVAILABLE", "Too many requests are under way", retry_after=1)
        call.who = await self._authenticator.identify(call.authorization)
        await self._count(call, scope)

    async def _count(self, call: Call, scope: Scope) -> None:
        if self._limits is None:
            return
        caller = call.who.key_id if call.who is not None else f"ip:{(scope.get('client') or ('?',))[0]}"
        quota = await self._limits.hit(caller)
        if quota is None:
            if call.method not in _SAFE:  # an uncounted write could be one too many; an uncounted read harms nobody
                raise ApiError("SERVICE_UNAVAILABLE", retry_after=1)
            return
        call.quota = quota
        if quota.is_exceeded:
            refusal = ApiError("RATE_LIMITED", retry_after=quota.retry_after, limit=quota.limit)
            refusal.details["retry_after"] = quota.retry_after
            raise refusal

    def _open(self, scope: Scope) -> Call:
        call = Call(self._use_cases, "", scope["method"], scope["path"])
        for name, value in scope["headers"]:
            if name == b"authorization":
                call.authorization = value.decode("latin-1")
            elif name == b"idempotency-key":
                call.idempotency_key = value.decode("latin-1")
            elif name == b"content-type":
                call.content_type = value.decode("latin-1")
            elif name == b"content-length":
                call.content_length = int(value) if value.isdigit() else 0
            elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                call.request_id = value.decode()
        call.request_id = call.request_id or new_id("req")
        scope["offerhub.call"] = call
        scope["app"] = self  # with an app in its scope the router raises what it can't route, and we answer
        return call


async def _send(send: Send, call: Call, answer: Answer) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-request-id", call.request_id.encode()),
    ]
    if call.quota is not None:
        headers += [
            (b"x-ratelimit-limit", str(call.quota.limit).encode()),
            (b"x-ratelimit-remaining", str(call.quota.remaining).encode()),
            (b"x-ratelimit-reset", str(call.quota.reset).encode()),
        ]
    if call.is_keyed and call.idempotency_key is not None:
        headers.append((b"x-idempotency-key", call.idempotency_key.encode()))
    if answer.is_replay:
        headers.append((b"idempotency-replay", b"true"))
    if answer.retry_after:
        headers.append((b"retry-after", str(answer.retry_after).encode()))
    if answer.allow:
        headers.append((b"allow", answer.allow.encode()))
    if answer.status == 401:  # noqa: PLR2004 - RFC 9110 asks for the challenge
        headers.append((b"www-authenticate", b"Bearer"))
    start: dict[str, Any] = {"type": "http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else answer.body})

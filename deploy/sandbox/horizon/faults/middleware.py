"""Making requests go wrong: before they are handled, or when their answer is ready."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from aiohttp import web
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.endpoints.submit import frame_in
from deploy.sandbox.horizon.faults.rules import OF_READING, OF_RECORDS, OF_STREAMS, Facts, Fault, Live, When
from deploy.sandbox.horizon.ledger.codes import result_codes
from deploy.sandbox.horizon.ledger.results import transaction_result
from deploy.sandbox.horizon.operations.catalog import read
from deploy.sandbox.horizon.resources import problems
from deploy.sandbox.horizon.resources.problems import Problem
from deploy.sandbox.horizon.serving import FIRED, NODE, RULES, answer, wants_stream

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTROL: Final = "/sandbox"
_APPLIED_SECONDS: Final = 30.0
_SUBMISSIONS: Final = {"/transactions", "/transactions_async"}
_TAKEN: Final = {200, 201, 409}
_PASSES: Final = OF_READING | OF_RECORDS | OF_STREAMS
_GARBAGE: Final = b"<html><head><title>Welcome</title></head><body>This is not JSON.</body></html>"


@web.middleware
async def make_wrong(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out which rules fire for a request, and do to it what they say."""
    if not request.app[RULES] or request.path.startswith(CONTROL):
        return await handler(request)
    frame = await _frame(request)
    lives = request[FIRED] = request.app[RULES].firing(_facts(request, frame))
    for live in lives:
        if live.rule.fault is Fault.SLOW:
            await asyncio.sleep(live.rule.seconds)
    wrong = _first(lives, When.BEFORE)
    if wrong is not None:
        return await _instead(request, wrong, frame, None)
    response = await handler(request)
    wrong = _first(lives, When.ACCEPTED) or _first(lives, When.APPLIED)
    if wrong is None:
        return response
    if wrong.rule.when is When.APPLIED and frame is not None and response.status in _TAKEN:
        await request.app[NODE].outcome(frame.hash.hex(), seconds=wrong.rule.seconds or _APPLIED_SECONDS)
    return await _instead(request, wrong, frame, response)


def _first(lives: Sequence[Live], when: When) -> Live | None:
    """Return the rule that decides how a request ends, if one does at this point. A stream is cut while it is under way."""
    for live in lives:
        is_of_stream = live.rule.fault is Fault.CUT and live.rule.after
        if live.rule.when is when and live.rule.fault not in _PASSES and not is_of_stream:
            return live
    return None


async def _frame(request: web.Request) -> Frame | None:
    if request.method != "POST" or request.path not in _SUBMISSIONS:
        return None
    try:
        return await frame_in(request)
    except Problem:
        return None


def _facts(request: web.Request, frame: Frame | None) -> Facts:
    """Gather what rules may ask about."""
    parts = set(request.path.split("/"))
    accounts = {part for part in parts if part.startswith("G")} | ({request.query["addr"]} if "addr" in request.query else set())
    hashes = parts
    if frame is not None:
        accounts |= {frame.source.account, frame.fee_source.account}
        for raw in frame.operations:
            accounts |= {frame.party(raw).account, *read(raw).touched()}
        hashes = {*hashes, *frame.hashes}
    return Facts(request.method, request.path, accounts, hashes, wants_stream(request))


async def _instead(
    request: web.Request, live: Live, frame: Frame | None, response: web.StreamResponse | None
) -> web.StreamResponse:
    """Answer with something else."""
    fault = live.rule.fault
    if fault is Fault.CUT:
        return _cut(request)
    if fault is Fault.CUT_MIDWAY:
        return await _cut_midway(request, response)
    if fault is Fault.GARBAGE:
        return web.Response(body=_GARBAGE, content_type="text/html", charset="utf-8")
    if fault is Fault.BROKEN_JSON:
        whole = _body(response)
        return web.Response(body=whole[: len(whole) // 2], content_type="application/hal+json", charset="utf-8")
    if fault is Fault.NOT_FOUND:
        return problems.not_found().response()
    if fault is Fault.RATE_LIMITED:
        limited = problems.rate_limited().response()
        limited.headers.update({"Retry-After": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"})
        return limited
    if fault is Fault.STALE_HISTORY:
        return problems.stale_history().response()
    if frame is None:
        return problems.timeout().response()
    return _of_submission(request, fault, frame)


def _of_submission(request: web.Request, fault: Fault, frame: Frame) -> web.StreamResponse:
    digest, is_async = frame.hash.hex(), request.path == "/transactions_async"
    if fault is Fault.BAD_SEQUENCE:
        result = transaction_result(xdr.TransactionResultCode.txBAD_SEQ, 0)
        if is_async:
            return answer({"error_result_xdr": result.to_xdr(), "tx_status": "ERROR", "hash": digest}, status=400)
        return problems.failed(frame.envelope_xdr, result.to_xdr(), result_codes(result)).response()
    if fault is Fault.TRY_AGAIN_LATER and is_async:
        return answer({"tx_status": "TRY_AGAIN_LATER", "hash": digest}, status=503)
    return problems.submission_timeout(digest, frame.envelope_xdr).response()


def _cut(request: web.Request) -> web.Response:
    """Reset the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut_midway(request: web.Request, response: web.StreamResponse | None) -> web.StreamResponse:
    """Send half an answer and reset the connection."""
    whole = _body(response)
    torn = web.StreamResponse(headers={"Content-Type": "application/hal+json; charset=utf-8", "Content-Length": str(len(whole))})
    await torn.prepare(request)
    await torn.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.abort()
    return torn


def _body(response: web.StreamResponse | None) -> bytes:
    """Return the body of an answer, or something that could be one."""
    body = response.body if isinstance(response, web.Response) else b""
    return body if isinstance(body, bytes) and body else msgspec.json.encode({"half": "of an answer"})

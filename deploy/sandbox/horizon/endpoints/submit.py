"""Submitting transactions: waiting for the ledger, or not."""

from typing import Final

from aiohttp import web
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.frames import Frame, MalformedEnvelope
from deploy.sandbox.horizon.faults.rules import Fault
from deploy.sandbox.horizon.ledger.codes import result_codes
from deploy.sandbox.horizon.ledger.queue import Admission, Status
from deploy.sandbox.horizon.ledger.results import SUCCEEDED, transaction_result
from deploy.sandbox.horizon.node import Node
from deploy.sandbox.horizon.pages import base_of
from deploy.sandbox.horizon.resources.problems import failed, malformed, submission_timeout, unsupported_media_type
from deploy.sandbox.horizon.resources.transactions import Body, transaction
from deploy.sandbox.horizon.serving import NODE, answer, fired, lag_of, view_of

_FORMS: Final = {"application/x-www-form-urlencoded", "multipart/form-data"}
_STATUSES: Final = {Status.PENDING: 201, Status.DUPLICATE: 409, Status.TRY_AGAIN_LATER: 503, Status.ERROR: 400}
FRAME: Final = web.RequestKey("frame", Frame)


async def submit(request: web.Request) -> web.StreamResponse:
    """Take a transaction and answer once it is in a ledger.

    What the network would have the sender try again later is waited for like anything else, so it ends in a timeout.

    Raises:
        Problem: it is refused, in a ledger as a failure, or not heard of in time.
    """
    frame = await frame_in(request)
    digest = frame.hash.hex()
    view = view_of(request)
    known = view.reads.transaction(digest, as_of=view.ledger)
    if known is None:
        known = await _await_ledger(request, frame)
    if known is None:
        raise submission_timeout(digest, frame.envelope_xdr)
    if not known["successful"]:
        result = xdr.TransactionResult.from_xdr(str(known["result_xdr"]))
        raise failed(frame.envelope_xdr, str(known["result_xdr"]), result_codes(result, digest))
    return answer(transaction(known, base_of(request), digest))


async def _await_ledger(request: web.Request, frame: Frame) -> Body | None:
    node = request.app[NODE]
    result = _nonsense(frame)
    if result is None:
        admission = offer(request, node, frame)
        result = admission.result
    digest = frame.hash.hex()
    if result is not None and result.result.code not in SUCCEEDED:
        raise failed(frame.envelope_xdr, result.to_xdr(), result_codes(result, digest))
    return await node.outcome(digest, seconds=node.settings.submit_timeout_ms / 1_000, lag=lag_of(request))


async def submit_async(request: web.Request) -> web.StreamResponse:
    """Take a transaction and answer what the network says to it, without waiting."""
    frame = await frame_in(request)
    admission = offer(request, request.app[NODE], frame)
    body: Body = {"tx_status": admission.status.value, "hash": frame.hash.hex()}
    if admission.result is not None:
        body["error_result_xdr"] = admission.result.to_xdr()
    return answer(body, status=_STATUSES[admission.status])


async def frame_in(request: web.Request) -> Frame:
    """Read the transaction out of a form.

    Raises:
        Problem: it is no form, or not a transaction.
    """
    if FRAME in request:
        return request[FRAME]
    if request.content_type not in _FORMS and request.headers.get("Content-Type"):
        raise unsupported_media_type()
    form = await request.post()
    text = form.get("tx") or request.query.get("tx", "")
    text = text if isinstance(text, str) else ""
    try:
        frame = request.app[NODE].chain.read(text)
    except MalformedEnvelope:
        raise malformed(text) from None
    request[FRAME] = frame
    return frame


def offer(request: web.Request, node: Node, frame: Frame) -> Admission:
    """Hand a transaction to the network; a rule may have it taken and then lost."""
    admission = node.offer(frame)
    if any(live.rule.fault is Fault.LOSE for live in fired(request)):
        node.chain.queue.lose(frame)
    return admission


def _nonsense(frame: Frame) -> xdr.TransactionResult | None:
    """Refuse sequence numbers that no account can have, which Horizon does before it asks the network."""
    least = frame.bounds.min_sequence
    if frame.sequence < 0 or (least is not None and not 0 <= least < frame.sequence):
        return transaction_result(xdr.TransactionResultCode.txBAD_SEQ, 0)
    return None

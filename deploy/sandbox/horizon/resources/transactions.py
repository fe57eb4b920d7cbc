"""A transaction as Horizon shows it."""

import base64
from datetime import UTC, datetime

from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.frames import Bounds, Frame
from deploy.sandbox.horizon.chain.signatures import signer_address
from deploy.sandbox.horizon.chain.values import Party, given
from deploy.sandbox.horizon.ledger.applying import Applied
from deploy.sandbox.horizon.operations.scene import party_fields

Body = dict[str, object]
"""A resource without its links, which depend on where it is asked for."""

_NO_CHANGES = base64.b64encode(xdr.LedgerEntryChanges([]).to_xdr_bytes()).decode()


def instant(epoch: int) -> str:
    """Print a close time."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"


def transaction_body(applied: Applied, order: int, ledger: int, close_time: int) -> Body:
    """Describe a transaction that is in a ledger."""
    frame, own = applied.frame, applied.frame.hash.hex()
    body: Body = {
        "id": own,
        "paging_token": str(order),
        "successful": applied.is_successful,
        "hash": own,
        "ledger": ledger,
        "created_at": instant(close_time),
        "source_account": frame.source.account,
        **_muxed(frame.source, "account"),
        "source_account_sequence": str(frame.sequence),
        "fee_account": frame.fee_source.account,
        **_muxed(frame.fee_source, "fee_account"),
        "fee_charged": str(applied.result.fee_charged.int64),
        "max_fee": str(frame.fee),
        "operation_count": len(frame.operations),
        "envelope_xdr": frame.envelope_xdr,
        "result_xdr": base64.b64encode(applied.result.to_xdr_bytes()).decode(),
        "fee_meta_xdr": _NO_CHANGES,
        **memo_fields(frame.memo),
        "signatures": _signatures(frame),
    }
    if preconditions := _preconditions(frame.bounds):
        body["preconditions"] = preconditions
    if frame.inner is not None:
        body["fee_bump_transaction"] = {"hash": own, "signatures": _signatures(frame)}
        body["inner_transaction"] = {
            "hash": frame.inner.hash.hex(),
            "signatures": _signatures(frame.inner),
            "max_fee": str(frame.inner.fee),
        }
    return body


def transaction(body: Body, base: str, asked_for: str | None = None) -> Body:
    """Show a transaction; one that was asked for by its inner hash shows itself under that."""
    inner = body.get("inner_transaction")
    if isinstance(inner, dict) and asked_for == inner["hash"]:
        body = {**body, "id": asked_for, "hash": asked_for, "signatures": inner["signatures"]}
    own = f"{base}/transactions/{body['id']}"
    order = body["paging_token"]
    links = {
        "self": {"href": own},
        "account": {"href": f"{base}/accounts/{body['source_account']}"},
        "ledger": {"href": f"{base}/ledgers/{body['ledger']}"},
        "operations": {"href": f"{own}/operations{{?cursor,limit,order}}", "templated": True},
        "effects": {"href": f"{own}/effects{{?cursor,limit,order}}", "templated": True},
        "precedes": {"href": f"{base}/transactions?order=asc&cursor={order}"},
        "succeeds": {"href": f"{base}/transactions?order=desc&cursor={order}"},
        "transaction": {"href": own},
    }
    return {"_links": links, **body}


def memo_fields(memo: xdr.Memo) -> Body:
    """Show a memo; hashes are in base64."""
    if memo.type == xdr.MemoType.MEMO_TEXT:
        text = given(memo.text)
        return {"memo_type": "text", "memo_bytes": base64.b64encode(text).decode(), "memo": text.decode(errors="replace")}
    if memo.type == xdr.MemoType.MEMO_ID:
        return {"memo_type": "id", "memo": str(given(memo.id).uint64)}
    if memo.type == xdr.MemoType.MEMO_HASH:
        return {"memo_type": "hash", "memo": base64.b64encode(given(memo.hash).hash).decode()}
    if memo.type == xdr.MemoType.MEMO_RETURN:
        return {"memo_type": "return", "memo": base64.b64encode(given(memo.ret_hash).hash).decode()}
    return {"memo_type": "none"}


def _muxed(party: Party, name: str) -> Body:
    return {key: value for key, value in party_fields(party, name).items() if key != name}


def _signatures(frame: Frame) -> list[str]:
    return [base64.b64encode(each.signature.signature).decode() for each in frame.signatures]


def _preconditions(bounds: Bounds) -> Body:
    shown: Body = {}
    if bounds.min_time is not None:
        times = {"min_time": str(bounds.min_time)}
        shown["timebounds"] = times | ({"max_time": str(bounds.max_time)} if bounds.max_time else {})
    if bounds.min_ledger is not None:
        shown["ledgerbounds"] = {"min_ledger": bounds.min_ledger} | (
            {"max_ledger": bounds.max_ledger} if bounds.max_ledger else {}
        )
    if bounds.min_sequence is not None:
        shown["min_account_sequence"] = str(bounds.min_sequence)
    if bounds.min_sequence_age:
        shown["min_account_sequence_age"] = str(bounds.min_sequence_age)
    if bounds.min_sequence_gap:
        shown["min_account_sequence_ledger_gap"] = bounds.min_sequence_gap
    if bounds.extra_signers:
        shown["extra_signers"] = [signer_address(key) for key in bounds.extra_signers]
    return shown

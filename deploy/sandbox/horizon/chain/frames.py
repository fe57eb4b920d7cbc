"""Transactions as they are submitted: decoded, hashed, and with the few facts everybody asks for."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

import xdrlib3
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.values import Party, given, party_of

_ENVELOPE_BYTES_MAX: Final = 64 * 1024
_SIGNATURE_HEAD: Final = 8


class MalformedEnvelope(ValueError):
    """What was sent is no transaction envelope."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a transaction may be applied; 0 and None mean no bound."""

    min_time: int | None = None
    max_time: int | None = None
    min_ledger: int | None = None
    max_ledger: int | None = None
    min_sequence: int | None = None
    min_sequence_age: int = 0
    min_sequence_gap: int = 0
    extra_signers: tuple[xdr.SignerKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """A transaction, or a fee bump around one.

    `hash` is what is signed, `envelope_hash` is of the whole envelope with its signatures. Of a fee bump, `source` and
    `sequence` are the inner transaction's, while `fee`, `fee_source`, `signatures` and `operation_count` are its own.
    """

    envelope: xdr.TransactionEnvelope
    envelope_xdr: str
    hash: bytes
    envelope_hash: bytes
    signatures: tuple[xdr.DecoratedSignature, ...]
    source: Party
    fee_source: Party
    sequence: int
    fee: int
    operation_count: int
    memo: xdr.Memo
    bounds: Bounds
    operations: tuple[xdr.Operation, ...]
    inner: "Frame | None" = None

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes this can be asked for by, its own first."""
        own = self.hash.hex()
        return (own,) if self.inner is None else (own, self.inner.hash.hex())

    def party(self, operation: xdr.Operation) -> Party:
        """Return who an operation acts for."""
        return self.source if operation.source_account is None else party_of(operation.source_account)


def decode(text: str, network_id: bytes) -> Frame:
    """Read an envelope from base64.

    Raises:
        MalformedEnvelope: it is not base64, not an envelope, or not its canonical encoding.
    """
    try:
        raw = base64.b64decode(text, validate=True)
        if len(raw) > _ENVELOPE_BYTES_MAX:
            raise MalformedEnvelope(f"an envelope is at most {_ENVELOPE_BYTES_MAX} bytes")
        sent = xdr.TransactionEnvelope.from_xdr_bytes(raw)
        if sent.to_xdr_bytes() != raw:
            raise MalformedEnvelope("this is not the one encoding of an envelope, or bytes follow it")
        envelope = _as_v1(sent)
        raw_v1 = raw if envelope is sent else envelope.to_xdr_bytes()
        if envelope.type == xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP:
            return _fee_bump(envelope, raw_v1, network_id)
        return _plain(envelope, raw_v1, network_id)
    except (ValueError, EOFError, xdrlib3.Error) as error:
        raise MalformedEnvelope(str(error) or type(error).__name__) from error


def _plain(envelope: xdr.TransactionEnvelope, raw: bytes, network_id: bytes) -> Frame:
    body = given(envelope.v1)
    tx = body.tx
    source = party_of(tx.source_account)
    return Frame(
        envelope=envelope,
        envelope_xdr=base64.b64encode(raw).decode(),
        hash=_contents_hash(raw, body.signatures, network_id),
        envelope_hash=hashlib.sha256(raw).digest(),
        signatures=tuple(body.signatures),
        source=source,
        fee_source=source,
        sequence=tx.seq_num.sequence_number.int64,
        fee=tx.fee.uint32,
        operation_count=len(tx.operations),
        memo=tx.memo,
        bounds=_bounds(tx.cond),
        operations=tuple(tx.operations),
    )


def _fee_bump(envelope: xdr.TransactionEnvelope, raw: bytes, network_id: bytes) -> Frame:
    body = given(envelope.fee_bump)
    inner_envelope = xdr.TransactionEnvelope(xdr.EnvelopeType.ENVELOPE_TYPE_TX, v1=given(body.tx.inner_tx.v1))
    inner = _plain(inner_envelope, inner_envelope.to_xdr_bytes(), network_id)
    return Frame(
        envelope=envelope,
        envelope_xdr=base64.b64encode(raw).decode(),
        hash=_contents_hash(raw, body.signatures, network_id),
        envelope_hash=hashlib.sha256(raw).digest(),
        signatures=tuple(body.signatures),
        source=inner.source,
        fee_source=party_of(body.tx.fee_source),
        sequence=inner.sequence,
        fee=body.tx.fee.int64,
        operation_count=inner.operation_count + 1,
        memo=inner.memo,
        bounds=inner.bounds,
        operations=inner.operations,
        inner=inner,
    )


def _contents_hash(raw: bytes, signatures: list[xdr.DecoratedSignature], network_id: bytes) -> bytes:
    """Hash what is signed: the network, then the envelope without its signatures, whose tag is the payload's tag too."""
    tail = 4 + sum(_SIGNATURE_HEAD + (len(each.signature.signature) + 3) // 4 * 4 for each in signatures)
    return hashlib.sha256(network_id + raw[: len(raw) - tail]).digest()


def _as_v1(envelope: xdr.TransactionEnvelope) -> xdr.TransactionEnvelope:
    """Turn the first form of an envelope, which signs to the same hash, into the present one."""
    if envelope.type == xdr.EnvelopeType.ENVELOPE_TYPE_TX_V0:
        old = given(envelope.v0)
        kind = xdr.CryptoKeyType.KEY_TYPE_ED25519
        bounds = old.tx.time_bounds
        precondition = xdr.PreconditionType.PRECOND_NONE if bounds is None else xdr.PreconditionType.PRECOND_TIME
        tx = xdr.Transaction(
            source_account=xdr.MuxedAccount(kind, ed25519=old.tx.source_account_ed25519),
            fee=old.tx.fee,
            seq_num=old.tx.seq_num,
            cond=xdr.Preconditions(precondition, time_bounds=bounds),
            memo=old.tx.memo,
            operations=old.tx.operations,
            ext=xdr.TransactionExt(0),
        )
        return xdr.TransactionEnvelope(xdr.EnvelopeType.ENVELOPE_TYPE_TX, v1=xdr.TransactionV1Envelope(tx, old.signatures))
    if envelope.type not in {xdr.EnvelopeType.ENVELOPE_TYPE_TX, xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP}:
        raise MalformedEnvelope(f"{envelope.type.name} is not a transaction")
    return envelope


def _bounds(cond: xdr.Preconditions) -> Bounds:
    if cond.type == xdr.PreconditionType.PRECOND_NONE:
        return Bounds()
    if cond.type == xdr.PreconditionType.PRECOND_TIME:
        times = given(cond.time_bounds)
        return Bounds(min_time=times.min_time.time_point.uint64, max_time=times.max_time.time_point.uint64)
    v2 = given(cond.v2)
    return Bounds(
        min_time=None if v2.time_bounds is None else v2.time_bounds.min_time.time_point.uint64,
        max_time=None if v2.time_bounds is None else v2.time_bounds.max_time.time_point.uint64,
        min_ledger=None if v2.ledger_bounds is None else v2.ledger_bounds.min_ledger.uint32,
        max_ledger=None if v2.ledger_bounds is None else v2.ledger_bounds.max_ledger.uint32,
        min_sequence=None if v2.min_seq_num is None else v2.min_seq_num.sequence_number.int64,
        min_sequence_age=v2.min_seq_age.duration.uint64,
        min_sequence_gap=v2.min_seq_ledger_gap.uint32,
        extra_signers=tuple(v2.extra_signers),
    )

"""Stellar's envelopes read and made with Stellar's own library."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec
import stellar_sdk
from stellar_sdk import xdr

from services.payouts.domain.transactions import (
    NATIVE,
    STROOPS,
    Begin,
    Bump,
    Create,
    End,
    Operation,
    Other,
    Pay,
    Transaction,
    Trust,
)

_LIMITLESS: Final = (1 << 63) - 1
Envelope = stellar_sdk.TransactionEnvelope | stellar_sdk.FeeBumpTransactionEnvelope


class UnreadableError(Exception):
    """It is no transaction envelope."""


def read(envelope_xdr: str, passphrase: str) -> tuple[Envelope, Transaction]:
    """Decode an envelope without signatures; of a fee bump those of the transaction inside stay.

    Raises:
        UnreadableError: it is no envelope, another kind of one, or not in the one canonical encoding.
    """
    try:
        envelope = _decode(envelope_xdr, passphrase)
        transaction = _described(envelope)
        canonical = envelope.to_xdr()
    except Exception as error:  # the library raises what it likes on bytes it can't read
        raise UnreadableError(f"this is no transaction envelope: {error!r}") from error
    if canonical != envelope_xdr or envelope.signatures:
        raise UnreadableError("this envelope is signed already, or not written the one right way")
    return envelope, transaction


def describe_signed(envelope_xdr: str, passphrase: str) -> tuple[str, Transaction]:
    """Return the hash of a transaction from a ledger, of a fee bump the one inside, and what it does.

    Raises:
        UnreadableError: it is no envelope.
    """
    try:
        envelope = _decode(envelope_xdr, passphrase)
        if isinstance(envelope, stellar_sdk.FeeBumpTransactionEnvelope):
            return envelope.transaction.inner_transaction_envelope.hash_hex(), _described(envelope)
        return envelope.hash_hex(), _described(envelope)
    except Exception as error:  # the library raises what it likes on bytes it can't read
        raise UnreadableError(f"this is no transaction envelope: {error!r}") from error


def _decode(envelope_xdr: str, passphrase: str) -> Envelope:
    is_bump = stellar_sdk.FeeBumpTransactionEnvelope.is_fee_bump_transaction_envelope(envelope_xdr)
    kind = stellar_sdk.FeeBumpTransactionEnvelope if is_bump else stellar_sdk.TransactionEnvelope
    return kind.from_xdr(envelope_xdr, passphrase)


def _described(envelope: Envelope) -> Transaction:
    if isinstance(envelope, stellar_sdk.TransactionEnvelope):
        return describe(envelope.transaction)
    outer = envelope.transaction
    inner = describe(outer.inner_transaction_envelope.transaction)
    return msgspec.structs.replace(inner, fee=outer.fee, fee_source=_plain(outer.fee_source))


def describe(transaction: stellar_sdk.Transaction) -> Transaction:
    """Say what a transaction does, in our words."""
    conditions = transaction.preconditions
    time = conditions.time_bounds if conditions else None
    ledger = conditions.ledger_bounds if conditions else None
    extra = conditions and (
        conditions.min_sequence_number is not None
        or conditions.min_sequence_age
        or conditions.min_sequence_ledger_gap
        or conditions.extra_signers
    )
    source = _plain(transaction.source)
    return Transaction(
        source=source,
        sequence=transaction.sequence,
        fee=transaction.fee,
        memo=_memo(transaction.memo),
        min_time=time.min_time if time else 0,
        max_time=time.max_time if time else 0,
        min_ledger=ledger.min_ledger if ledger else 0,
        max_ledger=ledger.max_ledger if ledger else 0,
        other_conditions=bool(extra) or transaction.soroban_data is not None,
        operations=tuple(_operation(operation, source) for operation in transaction.operations),
    )


def build(wanted: Transaction, passphrase: str) -> stellar_sdk.TransactionEnvelope:
    """Make the unsigned envelope of a transaction without a memo. The fee is the whole of it."""
    account = stellar_sdk.Account(wanted.source, wanted.sequence - 1)
    builder = stellar_sdk.TransactionBuilder(account, passphrase, wanted.fee // len(wanted.operations))
    for operation in wanted.operations:
        builder.append_operation(_theirs(operation))
    builder.add_time_bounds(wanted.min_time, wanted.max_time)
    if wanted.max_ledger:
        builder.set_ledger_bounds(wanted.min_ledger, wanted.max_ledger)
    return builder.build()


def stroops(amount: str) -> int:
    """Read Stellar's decimal amount."""
    return int(Decimal(amount) * STROOPS)


def decimal(amount: int) -> str:
    """Write stroops as Stellar's decimal amount."""
    return f"{amount // STROOPS}.{amount % STROOPS:07d}"


def _operation(operation: stellar_sdk.Operation, transaction_source: str) -> Operation:
    source = _plain(operation.source) if operation.source else transaction_source
    reader = _READERS.get(type(operation))
    return reader(operation, source) if reader else Other(source, type(operation).__name__)


def _plain(account: stellar_sdk.MuxedAccount) -> str:
    return account.account_muxed or account.account_id


def _asset(asset: stellar_sdk.Asset) -> str:
    return NATIVE if asset.is_native() else f"{asset.code}:{asset.issuer}"


def _trust(operation: stellar_sdk.ChangeTrust, source: str) -> Operation:
    if not isinstance(operation.asset, stellar_sdk.Asset) or stroops(operation.limit) != _LIMITLESS:
        return Other(source, "ChangeTrust with a limit or of a pool")
    return Trust(source, _asset(operation.asset))


_READERS: Final[dict[type, Callable[[Any, str], Operation]]] = {
    stellar_sdk.CreateAccount: lambda it, source: Create(source, it.destination, stroops(it.starting_balance)),
    stellar_sdk.ChangeTrust: _trust,
    stellar_sdk.BeginSponsoringFutureReserves: lambda it, source: Begin(source, it.sponsored_id),
    stellar_sdk.EndSponsoringFutureReserves: lambda _, source: End(source),
    stellar_sdk.Payment: lambda it, source: Pay(source, _plain(it.destination), _asset(it.asset), stroops(it.amount)),
    stellar_sdk.BumpSequence: lambda it, source: Bump(source, it.bump_to),
}


def _theirs(operation: Operation) -> stellar_sdk.Operation:
    source = operation.source
    match operation:
        case Create():
            return stellar_sdk.CreateAccount(operation.destination, decimal(operation.amount), source)
        case Trust():
            code, issuer = operation.asset.split(":")
            return stellar_sdk.ChangeTrust(stellar_sdk.Asset(code, issuer), source=source)
        case Begin():
            return stellar_sdk.BeginSponsoringFutureReserves(operation.sponsored, source)
        case End():
            return stellar_sdk.EndSponsoringFutureReserves(source)
        case Bump():
            return stellar_sdk.BumpSequence(operation.to, source)
        case Pay():
            native = operation.asset == NATIVE
            asset = stellar_sdk.Asset.native() if native else stellar_sdk.Asset(*operation.asset.split(":"))
            return stellar_sdk.Payment(operation.destination, asset, decimal(operation.amount), source)
        case Other():
            raise ValueError(f"{operation.name} is nothing we make")


def _memo(memo: stellar_sdk.Memo) -> str:
    match memo:
        case stellar_sdk.NoneMemo():
            return ""
        case stellar_sdk.TextMemo():
            return f"text:{memo.memo_text.decode('utf-8', 'backslashreplace')}"
        case stellar_sdk.IdMemo():
            return f"id:{memo.memo_id}"
        case stellar_sdk.HashMemo():
            return f"hash:{memo.memo_hash.hex()}"
        case _:
            return f"other:{xdr.Memo.to_xdr(memo.to_xdr_object())}"

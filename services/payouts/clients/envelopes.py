"""Transactions of slots in XDR: made, wrapped and read with Stellar's library."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from stellar_sdk import (
    Account,
    Asset,
    FeeBumpTransactionEnvelope,
    HashMemo,
    IdMemo,
    LedgerBounds,
    Memo,
    NoneMemo,
    TextMemo,
    TimeBounds,
    TransactionBuilder,
    TransactionEnvelope,
    xdr,
)

from libs.common.kernel.money import UNIT
from services.payouts.domain.envelopes import Bounds, Built, Payment
from services.payouts.domain.transactions import NATIVE

_NAMES: Final = {"txNO_ACCOUNT": "tx_no_source_account", "txBAD_MIN_SEQ_AGE_OR_GAP": "tx_bad_minseq_age_or_gap"}
_SPELT: Final = {"ALREADY_EXIST": "ALREADY_EXISTS"}


class Malformed(ValueError):
    """This is no XDR of the kind that it should be."""


@dataclass(frozen=True, slots=True)
class Network:
    """What envelopes are made for."""

    passphrase: str
    usdc_issuer: str
    treasury: str
    """Who pays what users' own accounts do not."""
    sponsor: str
    """Who pays for fee bumps."""

    def asset_name(self, currency: str) -> str:
        """Name it as `native` or `CODE:ISSUER`."""
        return NATIVE if currency == "XLM" else f"USDC:{self.usdc_issuer}"

    def asset(self, currency: str) -> Asset:
        """Name the asset that a currency of the books leaves as."""
        return Asset.native() if currency == "XLM" else Asset("USDC", self.usdc_issuer)


def build(
    network: Network, channel: str, sequence: int, currency: str, payments: Sequence[Payment], *, bid: int, bounds: Bounds
) -> Built:
    """Make the transaction of a slot: its payments, or none: then it only takes the slot."""
    builder = TransactionBuilder(Account(channel, sequence - 1), network.passphrase, bid)
    builder.time_bounds = TimeBounds(0, bounds.max_time)
    builder.ledger_bounds = LedgerBounds(0, bounds.max_ledger)
    for payment in payments:
        amount = Decimal(payment.amount) / UNIT
        builder.append_payment_op(payment.address, network.asset(currency), amount, source=payment.source or network.treasury)
    if not payments:
        builder.append_bump_sequence_op(0)
    builder.memo = _memo(payments)
    return _built(builder.build())


def bump(network: Network, signed: str, *, bid: int) -> Built:
    """Put a fee bump around a signed transaction; `bid` is for each of its operations and one more, as the network counts."""
    inner = TransactionEnvelope.from_xdr(signed, network.passphrase)
    wrapped = TransactionBuilder.build_fee_bump_transaction(network.sponsor, bid, inner, network.passphrase)
    return _built(wrapped)


def _memo(payments: Sequence[Payment]) -> Memo:
    kind, memo = (payments[0].memo_type, payments[0].memo) if len(payments) == 1 else (None, None)
    if kind is None or memo is None:
        return NoneMemo()
    return {"text": TextMemo, "hash": HashMemo}[kind](memo) if kind != "id" else IdMemo(int(memo))


def _built(envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> Built:
    return Built(envelope.hash_hex(), envelope.to_xdr(), envelope.transaction.fee)


def read_refusal(result: str) -> str:
    """Name why a transaction was turned away; of a fee bump whose inside is at fault, why that was.

    Raises:
        Malformed: this is no result.
    """
    body = _result(result)
    if body.inner_result_pair is not None:
        return _name(body.inner_result_pair.result.result.code)
    return _name(body.code)


def read_applied(result: str) -> tuple[tuple[str, ...], bool]:
    """Return each operation's code, and whether the transaction succeeded.

    Raises:
        Malformed: this is no result.
    """
    body = _result(result)
    inner = body.inner_result_pair.result.result if body.inner_result_pair is not None else body
    codes = tuple(_operation(each) for each in inner.results or ())
    return codes, inner.code == xdr.TransactionResultCode.txSUCCESS


def _result(result: str) -> xdr.TransactionResultResult:
    try:
        return xdr.TransactionResult.from_xdr(result).result
    except Exception as error:  # the library raises whatever struct, base64 and its enums do
        raise Malformed(f"no transaction result: {error!r}") from error


def _name(code: xdr.TransactionResultCode) -> str:
    return _NAMES.get(code.name) or f"tx_{code.name.removeprefix('tx').lower()}"


def _operation(result: xdr.OperationResult) -> str:
    if result.code != xdr.OperationResultCode.opINNER:
        name = result.code.name.removeprefix("op")
        return "op_no_source_account" if name == "NO_ACCOUNT" else f"op_{name.lower()}"
    if result.tr is None:
        raise Malformed("an operation without its result")
    kind = result.tr.type.name
    told = next(each for name, each in vars(result.tr).items() if name.endswith("_result") and each is not None)
    name = told.code.name.removeprefix(f"{kind}_")
    return f"op_{_SPELT.get(name, name).lower()}"

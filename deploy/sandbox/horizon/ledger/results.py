"""Results in XDR, as the network would write them."""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

import xdrlib3
from stellar_sdk import xdr

from deploy.sandbox.horizon.chain.frames import Frame
from deploy.sandbox.horizon.operations.catalog import SUPPORTED
from deploy.sandbox.horizon.operations.scene import Answer, Success

Code = xdr.TransactionResultCode

SUCCEEDED: Final = frozenset({Code.txSUCCESS, Code.txFEE_BUMP_INNER_SUCCESS})
_WITH_RESULTS: Final = frozenset({Code.txSUCCESS, Code.txFAILED})


def operation_result(operation: xdr.Operation, answer: Answer) -> xdr.OperationResult:
    """Write what came of one operation."""
    if isinstance(answer, Success):
        kind = SUPPORTED[operation.body.type]
        result = kind.result(code=answer.code, **answer.payload)
        inner = xdr.OperationResultTr(operation.body.type, **{kind.arm: result})  # type: ignore[arg-type]  # by catalogue
        return xdr.OperationResult(xdr.OperationResultCode.opINNER, inner)
    if isinstance(answer, xdr.OperationResultCode):
        return xdr.OperationResult(answer)
    return _plain(operation.body.type, answer)


@lru_cache(maxsize=1024)
def _plain(operation: xdr.OperationType, code: IntEnum) -> xdr.OperationResult:
    kind = SUPPORTED[operation]
    inner = xdr.OperationResultTr(operation, **{kind.arm: kind.result(code=code)})  # type: ignore[arg-type]  # by catalogue
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, inner)


def unjudged(operation: xdr.Operation) -> xdr.OperationResult:
    """Write the result of an operation that was not reached: a success of nothing, as the network has it."""
    kind = operation.body.type
    if kind not in SUPPORTED:
        return xdr.OperationResult(xdr.OperationResultCode.opNOT_SUPPORTED)
    return _zero(bytes(4) + kind.to_xdr_bytes() + bytes(64))


@lru_cache(maxsize=64)
def _zero(raw: bytes) -> xdr.OperationResult:
    return xdr.OperationResult.unpack(xdrlib3.Unpacker(raw))


def transaction_result(
    code: xdr.TransactionResultCode, fee: int, results: Sequence[xdr.OperationResult] = ()
) -> xdr.TransactionResult:
    """Write what came of a transaction."""
    told = list(results) if code in _WITH_RESULTS else None
    return xdr.TransactionResult(xdr.Int64(fee), xdr.TransactionResultResult(code, results=told), xdr.TransactionResultExt(0))


def fee_bump_result(frame: Frame, inner: xdr.TransactionResult, fee: int) -> xdr.TransactionResult:
    """Wrap what came of an inner transaction; its own fee is nothing, the bump pays."""
    if frame.inner is None:
        raise ValueError("only a fee bump has an inner result")
    body = xdr.InnerTransactionResultResult(inner.result.code, inner.result.results)
    own = xdr.InnerTransactionResult(xdr.Int64(0), body, xdr.InnerTransactionResultExt(0))
    pair = xdr.InnerTransactionResultPair(xdr.Hash(frame.inner.hash), own)
    is_good = inner.result.code == Code.txSUCCESS
    code = Code.txFEE_BUMP_INNER_SUCCESS if is_good else Code.txFEE_BUMP_INNER_FAILED
    outer = xdr.TransactionResultResult(code, inner_result_pair=pair)
    return xdr.TransactionResult(xdr.Int64(fee), outer, xdr.TransactionResultExt(0))
